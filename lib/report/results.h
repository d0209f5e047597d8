#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiment/sweep.h"
#include "report/finished_run.h"
#include "run/run_experiment.h"

namespace localbatch {

/// The slot of one seed in a cell; it exists even if the run has not been started.
struct SeedRun {
  int cell = 0;  ///< in its experiment file, from 1; 0 for runs that were found in a folder
  std::string seed;
  FinishedRun run;
};

/// Runs that differ in their seed only.
struct ResultCell {
  std::size_t row = 0, group = 0;
  std::vector<SeedRun> runs;
};

/// Results in the order of a table.
struct Results {
  std::string title;                 ///< names of folders and experiments
  std::vector<std::string> rows;     ///< schedules
  std::vector<std::string> groups;   ///< what decides H
  std::vector<ResultCell> cells;     ///< by row, then by group; only those that have runs
  std::vector<std::string> remarks;  ///< what a person has to know about what was found
  bool unfinished = false;           ///< runs that have not ended are shown as far as they are
};

/// The place of the cell of a row and a group, if they have one.
std::optional<std::size_t> cell_at(const Results& results, std::size_t row, std::size_t group);

/// The runs of a cell that its figures are of.
enum class Counted { kFinished, kUnfinished, kDiverged };

/// Those that have finished; if there is none, and the results ask for it, those that have begun
/// and not ended; else those that have diverged.
Counted counted_runs(const Results& results, const ResultCell& cell);

/// Whether a run is one of these.
bool counts(const FinishedRun& run, Counted counted);

/// A run with the names of its row and group.
struct PlacedRun {
  std::string row, group;
  SeedRun seed_run;
  Settings settings = {};  ///< those by which rows and groups are told apart; of a cell all of them
};

/// Rows and groups in the order in which they come first. Throws an InputError for two runs with
/// the same row, group and seed.
Results arranged(std::string title, std::vector<PlacedRun> runs, std::vector<std::string> remarks);

/// The results that a command reads.
struct ResultsRequest {
  /// Experiment files, whose cells are looked for below `<output>/<experiment>`, and folders, in
  /// which every folder with an experiment.yaml is a run.
  std::vector<std::filesystem::path> sources;
  std::vector<std::string> settings = {};  ///< of --set, for the experiment files
  std::filesystem::path output = "results";
  bool unfinished = false;  ///< for Results
};

/// Paths in the result begin with the name of the folder that was given, or with that of the
/// experiment. Runs with different settings share no row, also where their sweeps give them the
/// same name: it gets the settings that tell them apart. Throws an InputError for a file that a run
/// would refuse, a folder without a run, for a file of a run that is damaged, and for two cells
/// whose rows would still have one name.
Results collect_results(const ResultsRequest& request);

/// A cell of an experiment file with all its settings.
struct ExpectedCell {
  int number = 1;  ///< in the file
  std::string experiment;
  std::filesystem::path folder;  ///< of its results, if they are where `run` puts them
  std::vector<SweepCell::Coordinate> coordinates;
  Settings settings;
  std::vector<std::string> not_default = {};  ///< keys whose value is not their default
  std::vector<std::string> empty = {};  ///< keys of texts that are empty: `settings` lacks them
};

/// In the file's order. What this machine's CPU lacks is no mistake: its results are of another
/// one.
std::vector<ExpectedCell> expected_cells(RunRequest request);

/// Which of the cells a run belongs to: one that agrees() with it. When several do, as the run
/// comes from a version that did not know a key of the sweep, the one in which all keys that the
/// run does not know have their defaults. Places in `cells`; none, or several, when that leaves the
/// question open.
std::vector<std::size_t> cells_of_run(const Settings& run, const std::vector<ExpectedCell>& cells);

/// The cells of an experiment file in their order, with the runs that were found for them below
/// `<output>/<experiment>`; of several runs of one cell the one that has ended, or else the one
/// with more samples, and a remark about the others.
std::vector<PlacedRun> sweep_results(const RunRequest& request, std::string& title,
                                     std::vector<std::string>& remarks);

}  // namespace localbatch
