#include "run/run_experiment.h"

#include <fmt/core.h>

#include <exception>
#include <optional>
#include <utility>

#include "comm/agreement.h"
#include "comm/workers.h"
#include "core/build_info.h"
#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "doctor/doctor.h"
#include "experiment/experiment_file.h"
#include "nn/execution.h"
#include "run/checkpointer.h"
#include "run/round_writer.h"
#include "run/run_files.h"
#include "run/run_folder.h"
#include "run/task.h"

namespace localbatch {

namespace {

/// Everything that a rank needs before its workers can start.
struct Prepared {
  std::unique_ptr<const Experiment> experiment;  ///< in its place: the task refers to it
  std::unique_ptr<TrainingTask> task;
  RunStart start;
};

Prepared prepare(const RunRequest& request, ProcessGroup& processes) {
  RequestedRun asked = read_request(request);
  auto owned = std::make_unique<const Experiment>(std::move(asked.experiment));
  const Experiment& experiment = *owned;
  check_ranks(experiment.workers, processes.num_ranks());
  const HostedWorkers hosted =
      hosted_workers(experiment.workers, processes.rank(), processes.num_ranks());
  auto task = experiment.problem.make ? make_problem_task(experiment, hosted.count)
                                      : make_network_task(experiment, hosted.count);
  RunStart start{.experiment = experiment.name,
                 .folder = std::move(asked.folder),
                 .workers = experiment.workers,
                 .ranks = processes.num_ranks(),
                 .threads_per_worker = experiment.threads_per_worker,
                 .cores = available_cores(),
                 .max_samples = experiment.method.max_samples};
  task->describe(start);
  if (processes.rank() == 0) start.data = task->data_checksum();
  return {std::move(owned), std::move(task), std::move(start)};
}

/// How this run was launched, for the doctor.
Launch launch_of(const RunRequest& request, const RunStart& start) {
  return {.workers = start.workers,
          .threads_per_worker = start.problem ? 1 : start.threads_per_worker,
          .network = !start.problem,
          .command = run_command_line(request),
          .output = start.folder,
          .output_bytes = OutputBytes{.final_parameters = start.parameters * sizeof(float)}};
}

/// What the bytes of a run depend on beside its settings and data.
std::string maker() {
  const BuildInfo build = build_info();
  return fmt::format("localbatch {} ({}), {}, oneDNN {}, {}", build.version, build.commit,
                     build.compiler, onednn_version(), onednn_instruction_set());
}

/// Rank 0's claim on the folder of a run, and where that run stands.
struct Claim {
  bool has_finished = false;
  std::unique_ptr<FolderLock> lock;
  std::optional<Checkpoint> checkpoint;
};

Claim claim_folder(const RunRequest& request, const Experiment& experiment,
                   const CheckpointFacts& facts, const RunStart& start, const RunEvents& events) {
  const std::filesystem::path& folder = start.folder;
  const std::string resolved = resolved_yaml(experiment.resolved);
  const RunStatus status = request.force ? RunStatus::kMissing : status_of_folder(folder, resolved);
  Claim claim;
  claim.has_finished = has_ended(status) && request.resume;
  if (claim.has_finished) {
    // The earlier run may have been killed before it cleaned up.
    remove_checkpoints(folder);
    remove_unfinished_files(folder);
    return claim;
  }
  if (has_ended(status))
    fail_input("{}: holds results already; --force replaces them, --output writes elsewhere",
               folder.string());
  if (status == RunStatus::kMissing && !request.resumed_folder.empty())
    fail_input("{}: holds no unfinished run", folder.string());
  claim.lock = std::make_unique<FolderLock>(folder);
  forget_failure(folder);
  if (!request.force && status_of_folder(folder, resolved) != status)
    fail_input("{}: another process has just written there", folder.string());
  if (status == RunStatus::kUnfinished)
    claim.checkpoint = newest_checkpoint(folder, experiment.workers);
  if (!claim.checkpoint) {
    remove_checkpoints(folder);  // first: without the curves they are of no use
    empty_folder(folder);
    return claim;
  }
  remove_unfinished_files(folder);
  const CheckpointFacts& theirs = claim.checkpoint->facts;
  const std::string path = claim.checkpoint->path.string();
  if (theirs.made_by != facts.made_by)
    events.on_warning(
        fmt::format("{} was made by {}, and this is {}: the curves may not be those of a run that "
                    "was not interrupted",
                    path, theirs.made_by, facts.made_by));
  if (theirs.data != facts.data)
    fail_input("{}: the data are not those that the run began with; --force begins anew", path);
  return claim;
}

}  // namespace

RunResult run_experiment(const RunRequest& request, ProcessGroup& processes,
                         const RunEvents& events, const std::function<void()>& training_begins) {
  Prepared run = agree(processes, [&] { return prepare(request, processes); });
  const Experiment& experiment = *run.experiment;
  const std::filesystem::path& folder = run.start.folder;
  const CheckpointFacts facts{.made_by = maker(), .data = run.start.data};
  // Claiming a folder may remove older results, so it has to wait until all ranks are known to be
  // ready; and it may fail, on rank 0 alone, which the others have to know before they train. Hence
  // two agreements.
  const std::vector<RankFacts> ranks = gather_facts(processes);
  const Claim claim = agree(processes, [&] {
    if (processes.rank() != 0) return Claim();
    check_before_run(ranks, launch_of(request, run.start), events.on_warning);
    return claim_folder(request, experiment, facts, run.start, events);
  });
  RunResult result;
  result.folder = folder;
  result.had_finished = Mailbox(processes).max(claim.has_finished ? 1 : 0) > 0;
  if (result.had_finished) return result;
  training_begins();
  if (processes.rank() == 0) {
    if (claim.checkpoint) run.start.resumed_round = claim.checkpoint->facts.round;
    // First, as it makes the folder that of a run.
    write_file_atomically(folder / "experiment.yaml", resolved_yaml(experiment.resolved));
    if (!experiment.kernels.path.empty())
      write_file_atomically(folder / "kernels.yaml", experiment.kernels.text);
    write_manifest(folder, request, run.start);
    events.on_start(run.start);
  }

  const int first_hosted =
      hosted_workers(experiment.workers, processes.rank(), processes.num_ranks()).first;
  const auto train = [&](Communicator& plain_comm) {
    TimedCommunicator comm(plain_comm);
    const auto worker = run.task->make_worker(comm);
    const auto outer = experiment.make_outer_optimizer(worker->parameters().size());
    RunRecorder recorder(experiment, folder, *worker, comm, run.task->epoch_samples(), events);
    Progress progress{.local_batch_size = experiment.method.initial_local_batch_size};
    if (experiment.method.payload != Payload::kFloat32)
      progress.residual.resize(worker->parameters().size());
    Checkpointer state(request.checkpoints, folder, facts, progress, *outer, *worker, recorder,
                       comm);
    state.restore(claim.checkpoint);
    const auto observe = [&](const RoundRecord& round) {
      recorder.observe(round);
      if (comm.worker() == first_hosted)
        for (const std::string& warning : run.task->take_warnings()) events.on_warning(warning);
      if (round.is_to_be_saved) state.save();
    };
    const auto interruption = [&] {
      return Interruption{.save = state.is_due(),
                          .stop = comm.worker() == first_hosted && request.stop_requested()};
    };
    const Outcome outcome =
        local_sgd(experiment.method, *worker, *outer, comm, progress, observe, interruption);
    if (comm.worker() == first_hosted) result.outcome = outcome;
    const bool has_ended = outcome != Outcome::kStopped;
    const FinalModel model = has_ended ? worker->final_model(comm) : FinalModel();
    if (has_ended) recorder.add_up_communication();
    if (comm.worker() != 0) return;
    result = recorder.result(outcome);
    if (!has_ended) return;
    write_final_model(folder, model);
    write_summary(folder, experiment, result);
    remove_checkpoints(folder);
  };
  run_workers(experiment.workers, processes, train, request.stall_limit, events.on_failure);
  return result;
}

}  // namespace localbatch
