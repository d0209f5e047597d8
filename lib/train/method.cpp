#include "train/method.h"

#include <algorithm>

namespace localbatch {

namespace {

/// What the method cannot do without.
StatisticsNeeds own_needs(const LocalSgd& method) {
  return method.controller->needs() |
         StatisticsNeeds{.variance = method.learning_rate_coupling.needs_statistics};
}

/// What the record of a round shows, whoever else looks.
StatisticsNeeds shown(const LocalSgd& method) {
  const Chunks chunks = method.statistics.chunks;
  const bool inner_products_are_cheap = chunks == Chunks::kWorkers || chunks == Chunks::kDelta;
  return own_needs(method) | StatisticsNeeds{.inner_products = inner_products_are_cheap};
}

std::int64_t divided_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

double coupling(const LocalSgd& method, const Progress& progress) {
  const double initial = method.initial_local_batch_size;
  return method.learning_rate_coupling(
      {.growth = progress.local_batch_size / initial,
       .initial_variance = progress.variance / (method.num_workers * initial),
       .squared_norm = progress.squared_norm});
}

}  // namespace

RoundPlan LocalSgd::plan(const Progress& reached) const {
  Progress progress = reached;
  if (branch_local_batch_size) progress.local_batch_size = *branch_local_batch_size;
  const int H = wanted_sync_interval(progress);
  const std::int64_t share = divided_up(max_samples - progress.samples, num_workers);
  const std::int64_t steps_left = divided_up(share, progress.local_batch_size);
  // The last two rounds divide what is left evenly, so that no step is left with a sample or two.
  const int b = steps_left > std::int64_t{2} * H ? progress.local_batch_size
                                                 : static_cast<int>(divided_up(share, steps_left));
  RoundPlan plan{.round = progress.round + 1, .local_batch_size = b};
  plan.local_steps = static_cast<int>(std::min<std::int64_t>(H, steps_left));
  plan.samples = progress.samples + std::int64_t{num_workers} * b * plan.local_steps;
  Progress at_b = progress;
  at_b.local_batch_size = b;
  plan.learning_rate = learning_rates(at_b);
  plan.elapsed = static_cast<double>(progress.samples) /
                 static_cast<double>(scheduled_samples.value_or(max_samples));

  const bool regular = plan.round % limits.every_rounds == 0;
  plan.tested = (controller->needs().any() && limits.due(plan.round, b)) ||
                (learning_rate_coupling.needs_statistics && regular);
  plan.observed = plan.tested || (observer_needs.any() && regular);
  plan.audited = audit.due(plan.round);
  return plan;
}

int LocalSgd::wanted_sync_interval(const Progress& progress) const {
  return sync_interval({.round = progress.round,
                        .samples = progress.samples,
                        .learning_rate = learning_rates(progress)(0),
                        .first_loss = progress.first_loss,
                        .last_loss = progress.last_loss});
}

/// Each local step has the rate of the samples that were processed before it.
std::function<double(int h)> LocalSgd::learning_rates(const Progress& progress) const {
  return [this, factor = coupling(*this, progress), samples = progress.samples,
          global_batch_size = std::int64_t{num_workers} * progress.local_batch_size](int h) {
    return factor *
           learning_rate(samples + global_batch_size * h, scheduled_samples.value_or(max_samples));
  };
}

double LocalSgd::share_of_peak(std::int64_t samples) const {
  if (samples < learning_rate.warm_up_samples || learning_rate.peak <= 0) return 1;
  return learning_rate(samples, scheduled_samples.value_or(max_samples)) / learning_rate.peak;
}

RoundRecord LocalSgd::record_of(const RoundPlan& plan, const RoundNumbers& numbers) const {
  RoundRecord record{.round = plan.round,
                     .samples = plan.samples,
                     .local_steps = plan.local_steps,
                     .local_batch_size = plan.local_batch_size,
                     .learning_rate = plan.learning_rate(0),
                     .loss = numbers.loss,
                     .drift = numbers.drift,
                     .gradient_norm = numbers.gradient_norm,
                     .clipped_steps = static_cast<std::int64_t>(numbers.clipped_steps),
                     .request = numbers.request};
  if (format.sends_moves()) record.residual = numbers.residual;
  return record;
}

RoundRecord LocalSgd::decide(const RoundPlan& plan, const RoundNumbers& numbers,
                             const RoundStatistics& gradients) const {
  RoundRecord record = record_of(plan, numbers);
  record.statistics = gradients.statistics;
  record.measured = gradients.measured;
  record.observed = gradients.observed;
  record.audit = gradients.audit;
  record.wanted = wanted_by(*controller, record, record.statistics);
  record.decision = apply_limits(limits, plan.local_batch_size, record.wanted);
  return record;
}

Wanted LocalSgd::wanted_by(const BatchSizeController& asked, const RoundRecord& round,
                           const std::optional<GradientStatistics>& seen) const {
  if (asked.needs().any() && !seen) return {.reason = Reason::kNotDue};
  return asked.wanted({.local_batch_size = round.local_batch_size,
                       .initial_local_batch_size = initial_local_batch_size,
                       .samples = round.samples,
                       .learning_rate = round.learning_rate,
                       .loss = round.loss,
                       .share_of_peak = share_of_peak(round.samples)},
                      seen.value_or(GradientStatistics{}));
}

WantedOf LocalSgd::wanted_of(const RoundPlan& plan, const RoundNumbers& numbers) const {
  return [this, round = record_of(plan, numbers)](
             const GradientStatistics& seen) -> std::optional<double> {
    const StatisticsNeeds needs = controller->needs();
    if (!needs.any() || (needs.coordinates && !seen.coordinate_ratios)) return {};
    const Wanted wanted = wanted_by(*controller, round, seen);
    if (!wants_size(wanted.reason)) return {};
    return wanted.local_batch_size;
  };
}

MeterOptions LocalSgd::meter_options() const {
  MeterOptions options{
      .statistics = statistics, .needs = shown(*this) | observer_needs, .audit = audit};
  options.audit.inner_products |= (own_needs(*this) | observer_needs).inner_products;
  return options;
}

bool LocalSgd::shows_inner_products() const { return shown(*this).inner_products; }

}  // namespace localbatch
