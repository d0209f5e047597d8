#include "plan/round_count.h"

#include "experiment/experiment.h"
#include "run/evaluation_schedule.h"

namespace localbatch {

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
