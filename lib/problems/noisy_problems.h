#pragma once

#include <cstdint>
#include <span>

#include "core/options.h"

namespace localbatch {

/// Samples number `first` .. `first + size - 1` of those that a worker draws in a run.
struct ProblemBatch {
  std::uint64_t seed = 1;
  int worker = 0;
  std::int64_t first = 0;
  int size = 1;
};

/// Noise by formula, added to the mean gradient g of a batch of b samples. Both kinds have mean
/// zero, are independent of each other and from batch to batch, and equal in all directions.
struct GradientNoise {
  /// s2: normal, with variance s2/b in every coordinate of g. What b independent normal samples add
  /// up to is drawn at once, so its cost does not depend on b.
  double variance = 0;
  /// eta: of length exactly eta |g|, whatever b is. With g the exact gradient this is the norm test
  /// of theory met with equality, E|noise|^2 = eta^2 |grad F|^2 (method.md 2.1 and 3.2).
  double relative = 0;
};

/// Reads `noise_variance` and `relative_noise`.
GradientNoise read_gradient_noise(Options& options);

void add_noise(const GradientNoise& noise, const ProblemBatch& batch, std::span<double> gradient);

}  // namespace localbatch
