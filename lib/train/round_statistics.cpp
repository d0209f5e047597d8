#include "train/round_statistics.h"

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

}  // namespace

Measurement measurement(const LocalSgd& method) {
  Measurement measured{.statistics = method.statistics,
                       .needs = shown(method) | method.observer_needs,
                       .audit = method.audit,
                       .steps = method.inner_steps};
  const StatisticsNeeds judged = own_needs(method) | method.observer_needs;
  measured.audit.inner_products |= judged.inner_products;
  return measured;
}

bool looks_at_statistics(const LocalSgd& method, std::int64_t round, int local_batch_size,
                         bool anybody) {
  const bool regular = round % method.limits.every_rounds == 0;
  const bool tested =
      method.controller->needs().any() && method.limits.due(round, local_batch_size);
  const bool coupled = method.learning_rate_coupling.needs_statistics && regular;
  const bool observed = anybody && method.observer_needs.any() && regular;
  return tested || coupled || observed;
}

Wanted wanted_of(const BatchSizeController& controller, const RoundRecord& round,
                 int initial_local_batch_size,
                 const std::optional<GradientStatistics>& statistics) {
  if (controller.needs().any() && !statistics) return {.reason = Reason::kNotDue};
  return controller.wanted({.local_batch_size = round.local_batch_size,
                            .initial_local_batch_size = initial_local_batch_size,
                            .samples = round.samples,
                            .learning_rate = round.learning_rate,
                            .loss = round.loss},
                           statistics.value_or(GradientStatistics{}));
}

void read_meter(const LocalSgd& method, GradientMeter& meter, const GroupSums& sums,
                Progress& progress, RoundRecord& round) {
  const int b = round.local_batch_size;
  const std::optional<GradientStatistics> measured = meter.statistics(sums);
  if (looks_at_statistics(method, round.round, b, /*anybody=*/true)) {
    round.observed = average_in(*measured, method.statistics.moving_average, progress.averages);
    if (looks_at_statistics(method, round.round, b, /*anybody=*/false)) {
      round.measured = measured;
      round.statistics = round.observed;
      round.statistics->has_inner_products = shown(method).inner_products;
    }
    if (!unusable(*round.observed)) {
      progress.variance = round.observed->variance;
      progress.squared_norm = round.observed->unbiased_squared_norm;
    }
  }
  round.audit = meter.audit([&](const GradientStatistics& statistics) -> std::optional<double> {
    const StatisticsNeeds needs = method.controller->needs();
    if (!needs.any() || (needs.coordinates && !statistics.coordinate_ratios)) return {};
    const Wanted wanted =
        wanted_of(*method.controller, round, method.initial_local_batch_size, statistics);
    if (!wants_size(wanted.reason)) return {};
    return wanted.local_batch_size;
  });
  if (method.inner_steps)
    progress.carry = after_round(*method.inner_steps, method.velocity_at_sync, progress.carry,
                                 round.local_steps, b);
}

}  // namespace localbatch
