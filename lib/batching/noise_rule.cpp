#include "batching/noise_rule.h"

#include <algorithm>

namespace localbatch {

Wanted NoiseRule::wanted(const BatchContext& round, const GradientStatistics& statistics) const {
  if (const auto reason = unusable(statistics))
    return {.local_batch_size = static_cast<double>(round.local_batch_size), .reason = *reason};
  return judge(round, statistics);
}

Reason reason_of(bool passes) { return passes ? Reason::kPass : Reason::kGrow; }

Wanted judge_against_norm(const Inequality& test, double parameter_squared,
                          const BatchContext& round, const GradientStatistics& statistics) {
  return {
      .local_batch_size = noise_hides_gradient(statistics)
                              ? noise_limited_batch_size(round.local_batch_size, parameter_squared)
                              : batch_size_to_pass(test, statistics),
      .reason = reason_of(test.passes()),
      .test = test};
}

Wanted judge_norm(double eta_squared, const BatchContext& round,
                  const GradientStatistics& statistics) {
  const Inequality test{statistics.variance / static_cast<double>(statistics.global_batch_size),
                        eta_squared * std::max(statistics.squared_norm, 0.0)};
  return judge_against_norm(test, eta_squared, round, statistics);
}

}  // namespace localbatch
