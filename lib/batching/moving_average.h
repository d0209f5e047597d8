#pragma once

#include <array>
#include <cstdint>

#include "batching/gradient_statistics.h"

namespace localbatch {

/// Exponential moving averages of statistics. Numerators and denominators of tests are averaged
/// each by itself, and a test takes the ratio of the averages: averages of ratios would be ruled by
/// the rounds whose denominator is nearly 0.
struct MovingAverages {
  /// Of variance, squared norm, unbiased squared norm, inner-product and orthogonal variance; sums
  /// of decay^age times the value, without the factor 1 - decay.
  std::array<double, 5> sums{};
  double weight = 0;  ///< the same sum of ones
};

/// The statistics with `now` averaged in, `decay` in [0, 1) being the weight of a round against the
/// one after it; 0 gives `now`. Statistics that cannot be used are returned as they are and leave
/// no trace in the averages. Ratios of single coordinates are not averaged.
GradientStatistics average_in(const GradientStatistics& now, double decay,
                              MovingAverages& averages);

}  // namespace localbatch
