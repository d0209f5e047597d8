#include "run/run_experiment.h"

#include "comm/agreement.h"
#include "comm/communicator.h"
#include "comm/workers.h"
#include "core/error.h"
#include "doctor/doctor.h"
#include "run/prepared_run.h"
#include "run/run_folder.h"
#include "run/worker_run.h"

namespace localbatch {

namespace {

/// Whether the run may start, and what it would find. Only rank 0 knows all of that: hence an
/// agreement. Collective.
void check_together(const RunRequest& request, const PreparedRun& run, ProcessGroup& processes,
                    std::span<const RankFacts> ranks, const RunEvents& events) {
  agree(processes, [&] {
    if (processes.rank() == 0 && request.checks_launch)
      act_on(check_run(request, run, ranks), events.on_warning);
    return true;
  });
}

/// Allocates what local steps take; after all checks, as it may be more than there is.
void allocate(PreparedRun& run, ProcessGroup& processes, std::span<const RankFacts> ranks) {
  const int hosted =
      hosted_workers(run.start.workers, processes.rank(), processes.num_ranks()).count;
  run.start.cores = shares_of_cores(ranks)[static_cast<std::size_t>(processes.rank())];
  run.start.slots = agree(processes, [&] { return run.task->allocate(hosted, run.start.cores); });
}

/// Claiming a folder may remove older results, so it has to wait until all ranks are known to be
/// ready; and it may fail, on rank 0 alone, which the others have to know before they train.
/// Collective; the claim is rank 0's.
Claim claim_together(const RunRequest& request, const PreparedRun& run,
                     const CheckpointFacts& facts, ProcessGroup& processes,
                     const RunEvents& events) {
  return agree(processes, [&] {
    if (processes.rank() != 0) return Claim();
    check_branch(run);
    return claim_folder(request, run.start.folder, run.settings, run.start.workers, facts, events);
  });
}

}  // namespace

RunResult run_experiment(const RunRequest& request, ProcessGroup& processes,
                         const RunEvents& events, const std::function<void()>& training_begins) {
  PreparedRun run = agree(processes, [&] { return prepare_run(request, processes); });
  require_same(shared_facts(request, run), processes);
  const std::vector<RankFacts> ranks = gather_facts(processes);
  check_together(request, run, processes, ranks, events);
  allocate(run, processes, ranks);
  const CheckpointFacts facts = checkpoint_facts(run);
  const Claim claim = claim_together(request, run, facts, processes, events);
  RunResult result;
  result.folder = run.start.folder;
  result.had_finished = Mailbox(processes).max(claim.has_finished ? 1 : 0) > 0;
  if (result.had_finished) return result;

  training_begins();
  if (processes.rank() == 0) {
    if (claim.checkpoint) run.start.resumed_round = claim.checkpoint->facts.round;
    write_beginning(request, run);
    events.on_start(run.start);
  }

  const int workers = run.start.workers;
  const WorkerRunSetup setup{
      .experiment = *run.experiment,
      .folder = run.start.folder,
      .epoch_samples = run.start.task.epoch_samples,
      .tokens_per_sample = run.start.task.tokens_per_sample,
      .facts = facts,
      .schedule = request.checkpoints,
      .events = events,
      .first_hosted = hosted_workers(workers, processes.rank(), processes.num_ranks()).first,
      .stop_requested = request.stop_requested,
      .take_warnings = [&] { return run.task->take_warnings(); }};
  const auto train = [&](Communicator& plain_comm) {
    TimedCommunicator comm(plain_comm);
    const RunResult mine = train_worker(
        setup, [&](Communicator& timed) { return run.task->make_worker(timed); }, claim.checkpoint,
        comm);
    if (comm.worker() == setup.first_hosted) result = mine;
  };
  run_workers(workers, processes, train, events.on_failure);
  return result;
}

}  // namespace localbatch
