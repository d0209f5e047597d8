#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "run/checkpoints.h"
#include "run/run_experiment.h"

namespace localbatch {

class ProcessGroup;
struct SharedFact;
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

/// What all ranks must have alike, lest they train together and only rank 0's is recorded: every
/// setting, the bytes of data and files, and the options that decide what a run does.
std::vector<SharedFact> shared_facts(const RunRequest& request, const PreparedRun& run);

/// The facts of the checkpoints that this program makes of the run.
CheckpointFacts checkpoint_facts(const RunStart& start);

/// How the run was launched, for the doctor.
Launch launch_of(const RunRequest& request, const PreparedRun& run);

/// Writes what is known before the first local step. Rank 0 only.
void write_beginning(const RunRequest& request, const PreparedRun& run);

}  // namespace localbatch
