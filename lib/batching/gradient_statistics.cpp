#include "batching/gradient_statistics.h"

#include <algorithm>
#include <cmath>

#include "batching/batch_size_controller.h"

namespace localbatch {

PassingParameters passing_parameters(const GradientStatistics& statistics) {
  if (unusable(statistics) || noise_hides_gradient(statistics)) return {};
  const double samples = static_cast<double>(statistics.global_batch_size);
  // Variances computed as differences may end just below 0.
  const auto root = [&](double variance) { return std::sqrt(std::max(variance, 0.0) / samples); };
  const double norm = std::sqrt(statistics.squared_norm);
  return {root(statistics.variance) / norm,
          root(statistics.inner_product_variance) / statistics.squared_norm,
          root(statistics.orthogonal_variance) / norm};
}

}  // namespace localbatch
