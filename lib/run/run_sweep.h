#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "run/run_experiment.h"
#include "run/run_request.h"

namespace localbatch {

enum class CellState {
  kWaiting,   ///< nothing is there yet
  kStarted,   ///< it runs, or was interrupted
  kFinished,  ///< its results are there
  kDiverged,  ///< the same; they end with a loss or gradient that is not finite
  kFailed     ///< it could not go on, and others did
};

/// What has become of a cell of a sweep.
struct CellStatus {
  int number = 1;  ///< in the file; the first one is 1
  std::vector<SweepCell::Coordinate> coordinates;
  std::filesystem::path folder;
  CellState state = CellState::kWaiting;
  std::string failure;  ///< why, of one that failed
  std::int64_t samples = 0, max_samples = 0;
  double seconds = 0;                              ///< that its rounds have taken so far
  std::optional<double> seconds_since_round = {};  ///< by the clocks of the file system
};

/// Of all cells, in their order. Throws an InputError for an experiment that a run would refuse,
/// and for a folder that holds something else.
std::vector<CellStatus> status_of_cells(const RunRequest& request);

/// Whether its results are there, also those of one that has diverged.
bool has_ended(const CellStatus& cell);

/// Seconds until all cells have ended, one after the other, at the speed that cells have had so
/// far; nothing as long as none has done a round.
std::optional<double> seconds_left(const std::vector<CellStatus>& cells);

/// run_experiment(), which also notes in the folder of a cell of a sweep why it could not go on.
RunResult run_cell(const RunRequest& request, ProcessGroup& processes, const RunEvents& events,
                   const std::function<void()>& training_begins);

/// For whoever watches a sweep; called on rank 0 but for on_failure.
struct SweepEvents {
  RunEvents run;  ///< of each cell
  std::function<void(const std::vector<CellStatus>&)> on_sweep = [](const auto&) {};
  std::function<void(const CellStatus&)> on_cell = [](const CellStatus&) {};
  std::function<void(const RunResult&)> on_cell_end = [](const RunResult&) {};
  /// Of a cell that cannot go on, on the rank that has the reason.
  std::function<void(const std::exception&)> on_failure = [](const std::exception&) {};
};

/// Those that a sweep still has to run, in its order; with `force` all of them.
std::vector<CellStatus> cells_to_run(const std::vector<CellStatus>& cells, bool force);

/// How a sweep has ended on this rank.
struct SweepResult {
  bool stopped = false;             ///< by a signal or the time limit; the rest is unfinished
  bool diverged = false;            ///< a cell, in this or an earlier start
  std::exception_ptr failure = {};  ///< the first cell's that failed, of this rank
};

/// Runs the cells of an experiment file one after the other: first those that are unfinished, in
/// their order, then those that failed in an earlier start; a finished one is left alone unless the
/// request says `force`. A cell that fails does not keep the others from running, unless it fails
/// while several ranks train: then `on_failure` of the run ends the job. Collective. Throws before
/// the first cell what is wrong with any of them.
SweepResult run_sweep(const RunRequest& request, ProcessGroup& processes,
                      const SweepEvents& events);

}  // namespace localbatch
