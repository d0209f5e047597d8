#include "batching/moving_average.h"

#include "batching/batch_size_controller.h"

namespace localbatch {

GradientStatistics average_in(const GradientStatistics& now, double decay,
                              MovingAverages& averages) {
  const auto reason = unusable(now);
  if (decay == 0 || (reason && *reason != Reason::kZeroGradient)) return now;
  GradientStatistics averaged = now;
  const std::array<double*, 5> values{
      &averaged.variance, &averaged.squared_norm, &averaged.unbiased_squared_norm,
      &averaged.inner_product_variance, &averaged.orthogonal_variance};
  averages.weight = decay * averages.weight + 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    averages.sums[i] = decay * averages.sums[i] + *values[i];
    *values[i] = averages.sums[i] / averages.weight;
  }
  return averaged;
}

}  // namespace localbatch
