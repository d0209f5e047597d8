#include "plan/round_count.h"

#include <algorithm>

#include "train/round_statistics.h"

namespace localbatch {

namespace {

std::string name_of(const Experiment& experiment, std::string_view part) {
  const auto found = std::ranges::find(experiment.resolved, part, &Declaration::key);
  if (found == experiment.resolved.end()) return {};
  const auto name = std::ranges::find(found->parts, "name", &Declaration::key);
  return name == found->parts.end() ? std::string() : name->value;
}

double learning_rate(const LocalSgd& method, std::int64_t samples, int local_batch_size) {
  const double growth = static_cast<double>(local_batch_size) / method.initial_local_batch_size;
  return method.learning_rate_coupling({.growth = growth}) *
         method.learning_rate(samples, method.max_samples);
}

/// As the loop of local_sgd moves on, where no gradient has a say.
int next_local_batch_size(const LocalSgd& method, const RoundRecord& round) {
  const int b = round.local_batch_size;
  if (method.controller->needs().any()) return b;
  const Wanted wanted = wanted_of(*method.controller, round, method.initial_local_batch_size, {});
  return apply_limits(method.limits, b, wanted).next;
}

}  // namespace

RoundCount count_rounds(const Experiment& experiment, std::int64_t epoch_samples,
                        std::optional<int> sync_interval) {
  const LocalSgd& method = experiment.method;
  const std::int64_t M = experiment.workers;
  const std::int64_t interval =
      experiment.evaluate_every_samples > 0 ? experiment.evaluate_every_samples : epoch_samples;
  int b = method.initial_local_batch_size;
  std::int64_t next_evaluation = interval;
  RoundCount count{.local_batch_size = b};
  count.assumes_local_batch_size = method.controller->needs().any();
  count.assumes_sync_interval =
      !sync_interval && (name_of(experiment, "sync_interval") == "adacomm" ||
                         (name_of(experiment, "sync_interval") == "quadratic" &&
                          method.learning_rate_coupling.needs_statistics));
  while (count.samples < method.max_samples) {
    const double lr = learning_rate(method, count.samples, b);
    const std::int64_t wanted =
        sync_interval.value_or(0) > 0
            ? *sync_interval
            : method.sync_interval(
                  {.round = count.rounds, .samples = count.samples, .learning_rate = lr});
    const std::int64_t affordable = (method.max_samples - count.samples + M * b - 1) / (M * b);
    const std::int64_t H = std::min(wanted, affordable);
    if (count.rounds == 0) count.sync_interval = static_cast<int>(wanted);
    count.rounds += 1;
    count.local_steps += H;
    count.samples += M * b * H;
    count.worker_samples += b * H;
    const bool audits = method.audit.due(count.rounds);
    count.audited += audits ? 1 : 0;
    if (audits || looks_at_statistics(method, count.rounds, b, /*anybody=*/true))
      count.measured += 1;
    if (count.samples >= next_evaluation || count.samples >= method.max_samples) {
      count.evaluations += 1;
      next_evaluation = (count.samples / interval + 1) * interval;
    }
    b = next_local_batch_size(method, {.round = count.rounds,
                                       .samples = count.samples,
                                       .local_steps = static_cast<int>(H),
                                       .local_batch_size = b,
                                       .learning_rate = lr});
  }
  return count;
}

}  // namespace localbatch
