#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiment/run_request.h"
#include "report/results.h"

namespace localbatch {

/// A cell of an experiment file with all its settings.
struct ExpectedCell {
  int number = 1;  ///< in the file
  std::string experiment;
  std::filesystem::path folder;  ///< of its results, if they are where `run` puts them
  std::vector<SweepCell::Coordinate> coordinates;
  Settings settings;
  std::vector<std::string> not_default = {};  ///< keys whose value is not their default
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
