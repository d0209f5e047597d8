#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "doctor/doctor.h"
#include "run/checkpoints.h"
#include "run/run_experiment.h"

namespace localbatch {

class ProcessGroup;
struct SharedFact;
struct Experiment;
struct RunRequest;

/// Everything that a rank needs before its workers can start.
struct PreparedRun {
  std::shared_ptr<const Experiment> experiment;
  std::unique_ptr<Task> task;
  RunStart start;
  std::string settings;  ///< text of experiment.yaml
  bool is_branch = false;
};

/// Reads the request and loads the data; what takes much memory is not allocated yet. Throws an
/// InputError; writes nothing.
PreparedRun prepare_run(const RunRequest& request, const ProcessGroup& processes);

/// What all ranks must have alike, lest they train together and only rank 0's is recorded: every
/// setting, the bytes of data and files, and the options that decide what a run does.
std::vector<SharedFact> shared_facts(const RunRequest& request, const PreparedRun& run);

/// The facts of the checkpoints that this program makes of the run.
CheckpointFacts checkpoint_facts(const PreparedRun& run);

/// Throws an InputError for a branch that has nothing to go on from.
void check_branch(const PreparedRun& run);

/// What is wrong with a run that is about to start, its folder apart, which claim_folder() looks
/// at; to be called on rank 0. `run`, `doctor` and `plan` say what this list says, `plan` of the
/// settings alone.
Diagnoses check_run(const RunRequest& request, const PreparedRun& run,
                    std::span<const RankFacts> ranks);

/// All that would keep such a run from starting, the folder included; nothing is claimed or left
/// behind. Collective; the result is on rank 0 only.
Diagnoses examine_run(const RunRequest& request, ProcessGroup& processes,
                      const std::vector<RankFacts>& ranks);

/// Throws an InputError where so many runs like this one cannot be on this host at a time.
void check_room_for(const RunRequest& request, const PreparedRun& run, int runs);

/// Writes what is known before the first local step. Rank 0 only.
void write_beginning(const RunRequest& request, const PreparedRun& run);

}  // namespace localbatch
