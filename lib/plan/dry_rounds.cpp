#include "plan/dry_rounds.h"

#include <algorithm>

#include "experiment/experiment.h"
#include "run/round_writer.h"
#include "train/local_sgd.h"
#include "train/meter.h"
#include "train/synchronizer.h"

namespace localbatch {

namespace {

/// Asks for nothing and looks at nothing.
struct Unwatched final : RunObserver {
  Request request() override { return {}; }
  void on_round(const RoundRecord&) override {}
};

/// Round 1 with one local step, the last that the budget allows.
std::vector<Meeting> meetings_of_round(const LocalSgd& method, TrainingWorker& worker,
                                       const OuterOptimizerFactory& make_outer_optimizer,
                                       DryCommunicator& comm) {
  const std::int64_t step = std::int64_t{method.num_workers} * method.initial_local_batch_size;
  Progress at{.samples = std::max<std::int64_t>(0, method.max_samples - step),
              .local_batch_size = method.initial_local_batch_size};
  Meter meter(method, comm);
  Synchronizer all_workers(method, worker, make_outer_optimizer, comm);
  Unwatched run;
  comm.take_meetings();
  local_sgd(method, worker, meter, all_workers, at, run);
  return comm.take_meetings();
}

}  // namespace

RunMeetings meetings_of(
    const Experiment& experiment,
    const std::function<std::unique_ptr<TrainingWorker>(Communicator&)>& make_worker) {
  DryCommunicator comm(experiment.workers);
  const std::unique_ptr<TrainingWorker> worker = make_worker(comm);
  RunMeetings meetings;
  comm.take_meetings();
  worker->local_step(experiment.method.initial_local_batch_size, 0);
  meetings.local_step = comm.take_meetings();
  // Without those of its local step, before which there may be some.
  const auto round_of = [&](const LocalSgd& method) {
    std::vector<Meeting> all =
        meetings_of_round(method, *worker, experiment.make_outer_optimizer, comm);
    for (const Meeting& one : meetings.local_step) all.erase(std::ranges::find(all, one));
    return all;
  };

  LocalSgd method = experiment.method;
  method.audit.every_rounds = 0;
  method.limits.every_rounds = 2;  // the first round is nobody's
  meetings.round = round_of(method);
  method.limits.every_rounds = 1;
  method.observer_needs.variance = true;  // somebody looks at it
  meetings.measured_round = round_of(method);
  method.audit.every_rounds = 1;
  meetings.audited_round = round_of(method);

  worker->evaluate(comm);
  if (experiment.averaged_over > 0) worker->evaluate(comm);
  meetings.evaluation = comm.take_meetings();
  worker->final_model(comm);
  meetings.end = comm.take_meetings();
  return meetings;
}

RoundCount count_rounds(const Experiment& experiment, std::int64_t epoch_samples,
                        std::optional<int> sync_interval) {
  LocalSgd method = experiment.method;
  if (sync_interval)
    method.sync_interval = {[H = *sync_interval](const SyncContext&) { return H; }};
  const SyncInterval& rule = method.sync_interval;
  Progress at{.local_batch_size = method.initial_local_batch_size};
  EvaluationSchedule evaluations =
      evaluation_schedule(experiment.evaluate_every_samples, epoch_samples, method.max_samples);
  RoundCount count{.sync_interval = method.wanted_sync_interval(at),
                   .local_batch_size = at.local_batch_size};
  count.assumes_local_batch_size = method.controller->needs().any();
  count.assumes_sync_interval =
      rule.depends_on_losses ||
      (rule.depends_on_learning_rate && method.learning_rate_coupling.needs_statistics);
  while (at.samples < method.max_samples) {
    const RoundPlan round = method.plan(at);
    count.rounds += 1;
    count.local_steps += round.local_steps;
    count.samples = round.samples;
    count.worker_samples += std::int64_t{round.local_batch_size} * round.local_steps;
    count.measured += round.measured() ? 1 : 0;
    count.audited += round.audited ? 1 : 0;
    if (evaluations.due(round.samples)) {
      count.evaluations += 1;
      evaluations.pass(round.samples);
    }
    // Without losses and gradients: those who would look at them keep what there is.
    advance(at, method.decide(round, {}, {}));
  }
  return count;
}

}  // namespace localbatch
