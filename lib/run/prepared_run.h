#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "run/run_experiment.h"

namespace localbatch {

class ProcessGroup;
struct Experiment;
struct Launch;
struct RunRequest;

/// Everything that a rank needs before its workers can start.
struct PreparedRun {
  std::shared_ptr<const Experiment> experiment;
  std::unique_ptr<Task> task;
  RunStart start;
  std::string settings;  ///< text of experiment.yaml
};

/// Reads the request and builds what this rank needs. Throws an InputError; writes nothing.
PreparedRun prepare_run(const RunRequest& request, const ProcessGroup& processes);

/// How the run was launched, for the doctor.
Launch launch_of(const RunRequest& request, const PreparedRun& run);

/// Writes what is known before the first local step. Rank 0 only.
void write_beginning(const RunRequest& request, const PreparedRun& run);

}  // namespace localbatch
