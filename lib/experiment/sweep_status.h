#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiment/run_request.h"

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

}  // namespace localbatch
