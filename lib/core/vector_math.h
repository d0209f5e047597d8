#pragma once

#include <span>

namespace localbatch {

/// Sums over flat f32 arrays, accumulated in double. The order of the additions depends on the
/// length alone, so equal arrays give equal bits.
double squared_norm(std::span<const float> x);
double inner_product(std::span<const float> x, std::span<const float> y);
double squared_distance(std::span<const float> x, std::span<const float> y);

bool all_finite(std::span<const float> x);

}  // namespace localbatch
