#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiment/sweep.h"
#include "run/run_experiment.h"
#include "run/run_folder.h"

namespace localbatch {

/// How far a cell of a sweep is.
struct CellProgress {
  int number = 1;  ///< in the file; the first one is 1; 0: a run that was found in a folder
  std::vector<SweepCell::Coordinate> coordinates;
  std::filesystem::path folder;
  RunStatus status = RunStatus::kMissing;
  std::optional<bool> in_use = {};  ///< whether a process works on it, where that can be told
  std::string failure;              ///< why it could not go on, for kFailed
  std::int64_t samples = 0, max_samples = 0;
  double seconds = 0;                              ///< that its rounds have taken so far
  std::optional<double> seconds_since_round = {};  ///< by the clocks of the file system
};

/// The progress of all cells, in their order. Throws an InputError for an experiment that a run
/// would refuse, and for a folder that holds something else.
std::vector<CellProgress> progress_of_cells(const RunRequest& request);

/// The progress of the run in a folder with an experiment.yaml. Throws an InputError for a file of
/// it that is damaged.
CellProgress progress_of_run(const std::filesystem::path& folder);

/// Seconds until all cells have ended, one after the other, at the speed that cells have had so
/// far; nothing as long as none has done a round.
std::optional<double> seconds_left(const std::vector<CellProgress>& cells);

/// Notes in the folder of a run why it could not go on. Does nothing if the run is no cell of a
/// sweep and has not begun or was refused, if its results are complete, if another rank reports the
/// failure, or if another process writes there.
void note_failure(const RunRequest& request, const std::exception& error);

/// Events whose on_failure, if `on_failure` is given, notes the failure and then calls it. They
/// refer to `request`.
RunEvents noting_failures(const RunRequest& request, RunEvents events,
                          std::function<void(const std::exception&)> on_failure);

/// Callbacks for an observer of a sweep. They are called on rank 0, the failures on the rank that
/// has them.
struct SweepEvents {
  RunEvents run;  ///< of each cell
  std::function<void(const std::vector<CellProgress>&)> on_sweep = [](const auto&) {};
  std::function<void(const CellProgress&)> on_cell = [](const CellProgress&) {};
  std::function<void(const RunResult&)> on_cell_end = [](const RunResult&) {};
  /// A cell cannot go on.
  std::function<void(const std::exception&)> on_failure = [](const std::exception&) {};
  /// A worker of one of several ranks has failed while others may still compute, or wait for it;
  /// see RunEvents::on_failure.
  std::function<void(const std::exception&)> on_training_failure = {};
};

/// The cells that a sweep still has to run: first those that have not failed, in its order, then
/// those that have; with `force` the ones that have ended are among them.
std::vector<CellProgress> cells_to_run(const std::vector<CellProgress>& cells, bool force);

/// Whether the results that a sweep leaves as they are have one that diverged; `force` replaces
/// all.
bool has_diverged_before(const std::vector<CellProgress>& cells, bool force);

/// How a sweep has ended on this rank.
struct SweepResult {
  bool stopped = false;             ///< by a signal or the time limit; the rest is unfinished
  bool diverged = false;            ///< a cell has, in this or an earlier start
  std::exception_ptr failure = {};  ///< of the first cell that failed on this rank
};

/// Runs the cells of an experiment file one after the other: first those that are unfinished, in
/// their order, then those that failed in an earlier start; a finished one is left alone unless the
/// request says `force`. A cell that fails does not keep the others from running, unless it fails
/// while several ranks train: then `on_training_failure` has to end the job. Collective. Throws
/// before the first cell what is wrong with any of them.
SweepResult run_sweep(const RunRequest& request, ProcessGroup& processes,
                      const SweepEvents& events);

}  // namespace localbatch
