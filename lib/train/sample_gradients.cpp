#include "train/sample_gradients.h"

namespace localbatch {

GroupSums group_sums(const SampleGradients& samples) {
  const double n = static_cast<double>(samples.size());
  const double norm = samples.mean_squared_norm;
  GroupSums sums{.groups = 1, .chunks = n, .squared_norm = norm, .inverse_samples = 1 / n};
  for (const double square : samples.squared_norms) sums.variation += square;
  sums.variation -= n * norm;
  if (sums.variation < 0) sums.variation = 0;  // equal gradients, rounded; NaN is to stay
  for (const double product : samples.inner_products)
    sums.along += (product - norm) * (product - norm);
  sums.relative_along = norm > 0 ? sums.along / norm : 0;
  return sums;
}

GroupSums group_sums_without(const SampleGradients& samples, const GroupSums& all, std::size_t i) {
  const double n = all.chunks, rest = n - 1;
  const double norm = all.squared_norm;
  const double square = samples.squared_norms[i];
  const double product = samples.inner_products.empty() ? norm : samples.inner_products[i];
  const double distance = square - 2 * product + norm;
  GroupSums sums = all;
  sums.chunks = rest;
  sums.inverse_samples = 1 / rest;
  sums.squared_norm = (n * n * norm - 2 * n * product + square) / (rest * rest);
  sums.variation -= n / rest * distance;
  sums.along -= n / rest * (product - norm) * (product - norm);
  sums.relative_along = norm > 0 ? sums.along / norm : 0;
  return sums;
}

}  // namespace localbatch
