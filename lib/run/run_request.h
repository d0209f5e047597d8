#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "doctor/doctor.h"
#include "experiment/experiment.h"
#include "experiment/sweep.h"
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
  double stall_limit = 0;  ///< seconds that workers wait for each other at most; 0: for ever

  /// Asked after every round, on every rank: whether the run is to stop behind a checkpoint.
  std::function<bool()> stop_requested = [] { return false; };
};

/// The run that a request asks for.
struct RequestedRun {
  std::vector<SweepCell::Coordinate> coordinates;  ///< in the file's sweep
  Experiment experiment;
  std::filesystem::path folder;  ///< of its results
};

/// The cells of the experiment file with its settings, at least one. Throws an InputError for a
/// setting that the sweep would overwrite.
std::vector<SweepCell> requested_cells(const RunRequest& request);

/// The runs of all cells, each checked as a run would check it.
std::vector<RequestedRun> read_requests(const RunRequest& request);

/// Reads the experiment of a cell: the one that is asked for, or the only one. Throws an InputError
/// for a cell that the file does not have, and for a file of several cells without the number of
/// one.
RequestedRun read_request(const RunRequest& request);

/// How the request's experiment is to be launched, as the doctor wants to know it; nothing is
/// loaded. Without a file: one worker on each rank, and results in the folder that the request
/// names. Throws an InputError.
Launch read_launch(const RunRequest& request);

/// The command line of a run without its launcher, as a shell reads it back.
std::string run_command_line(const RunRequest& request);

}  // namespace localbatch
