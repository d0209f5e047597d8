#include "batching/gradient_statistics.h"

#include <algorithm>
#include <cmath>

#include "batching/batch_size_controller.h"

namespace localbatch {

StatisticsNeeds operator|(const StatisticsNeeds& a, const StatisticsNeeds& b) {
  return {a.variance || b.variance, a.inner_products || b.inner_products,
          a.coordinates || b.coordinates};
}

PassingParameters passing_parameters(const GradientStatistics& statistics) {
  if (unusable(statistics) || noise_hides_gradient(statistics)) return {};
  const double samples = static_cast<double>(statistics.global_batch_size);
  // Variances computed as differences may end just below 0.
  const auto root = [&](double variance) { return std::sqrt(std::max(variance, 0.0) / samples); };
  const double norm = std::sqrt(statistics.squared_norm);
  PassingParameters passing{.eta = root(statistics.variance) / norm};
  if (statistics.has_inner_products) {
    passing.theta = root(statistics.inner_product_variance) / statistics.squared_norm;
    passing.nu = root(statistics.orthogonal_variance) / norm;
  }
  return passing;
}

GradientStatistics average_in(const GradientStatistics& now, double decay,
                              MovingAverages& averages) {
  const auto reason = unusable(now);
  if (decay == 0 || (reason && *reason != Reason::kZeroGradient)) return now;
  GradientStatistics averaged = now;
  averages.weight = decay * averages.weight + 1;
  for (std::size_t i = 0; i < kStatisticFields.size(); ++i) {
    double& value = averaged.*kStatisticFields[i];
    averages.sums[i] = decay * averages.sums[i] + value;
    value = averages.sums[i] / averages.weight;
  }
  return averaged;
}

}  // namespace localbatch
