#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nn/execution.h"
#include "run/checkpoints.h"

namespace localbatch {

/// An experiment file with the options of the command line.
struct RunRequest {
  std::filesystem::path file;
  std::vector<std::string> settings;  ///< of --set
  std::optional<int> cell = {};       ///< of the file's sweep, the first one is 1
  std::filesystem::path output;
  bool force = false;
  std::vector<std::string> command_line = {};  ///< for the manifest

  /// Whether the CPU of the run supports bf16. Commands that only read results pass true.
  bool cpu_has_bfloat16 = supports_bfloat16();

  bool resume = false;                        ///< a run that has finished is no mistake
  std::filesystem::path resumed_folder = {};  ///< to be used in place of the one that settings name
  CheckpointSchedule checkpoints = {};

  /// Asked after every round, on every rank: whether the run is to stop behind a checkpoint.
  std::function<bool()> stop_requested = [] { return false; };
};

}  // namespace localbatch
