#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/replay.h"

namespace localbatch {

/// The command line of `localbatch plan --replay`, checked.
struct ReplayRequest {
  std::vector<std::string> folders;  ///< of runs, or of many such
  std::optional<int> workers;        ///< that take the rounds; nothing: those of each run
  std::function<Placement(int workers)> placement;
  int cores_of_host = 1;
  Interconnect interconnect;
  std::optional<double> samples_per_second;  ///< of a worker
  std::string speed_from;                    ///< folder of a run; empty: each run's own
  bool extrapolate = false;
  std::optional<std::string> json, csv;
};

/// Prints a row for each run, with the seconds that its rounds would take, and writes every round
/// to the files. Returns the exit status.
int replay_folders(const ReplayRequest& request);

}  // namespace localbatch
