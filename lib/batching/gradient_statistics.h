#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace localbatch {

/// Shares of the coordinates for which ratios of variance and squared mean are known.
constexpr std::array<double, 5> kCoordinateShares{0.5, 0.9, 0.99, 0.999, 1};
using CoordinateRatios = std::array<double, kCoordinateShares.size()>;

/// The statistics of a round's gradients that a batch-size test may look at. With g_j the mean
/// gradient of chunk j (n independent samples each), J chunks of all workers, g the mean of the g_j
/// and p_j = <g_j, g> over the whole parameter vector, the variances are those of one sample
/// (method.md 2.5 and 2.6):
///   variance               = n/(J-1) sum_j |g_j - g|^2
///   inner_product_variance = n/(J-1) sum_j (p_j - |g|^2)^2
///   orthogonal_variance    = n/(J-1) sum_j |g_j - (p_j/|g|^2) g|^2
/// so variance = inner_product_variance/|g|^2 + orthogonal_variance. The divisor is J - 1 or J, and
/// squared_norm is |g|^2 or an unbiased estimate, as the estimator was told. Chunks may also come
/// in groups, around means of their own, and g may be each group's own (train/estimator.h).
struct GradientStatistics {
  int num_workers = 1;
  int num_chunks = 0;
  std::int64_t global_batch_size = 0;  ///< samples behind g, M b
  double variance = 0;
  double squared_norm = 0;  ///< of the gradient, an estimate; the tests divide by it
  double inner_product_variance = 0;
  double orthogonal_variance = 0;
  bool has_inner_products = true;    ///< whether the two above were measured
  double unbiased_squared_norm = 0;  ///< whatever squared_norm is
  /// Of `variance`, by the jackknife over chunks; where these are the local batches of at least
  /// three workers.
  std::optional<double> variance_standard_error = std::nullopt;
  /// The shares kCoordinateShares of all coordinates have a variance of one sample's gradient of at
  /// most this many times the square of the mean gradient's coordinate. Infinite where a mean of 0
  /// has noise.
  std::optional<CoordinateRatios> coordinate_ratios = std::nullopt;
};

/// All statistics that are one number, for what is done to each of them.
inline constexpr std::array kStatisticFields{
    &GradientStatistics::variance, &GradientStatistics::squared_norm,
    &GradientStatistics::unbiased_squared_norm, &GradientStatistics::inner_product_variance,
    &GradientStatistics::orthogonal_variance};

/// The statistics that a controller needs.
struct StatisticsNeeds {
  bool variance = false;  ///< and the squared norm
  bool inner_products = false;
  bool coordinates = false;

  bool any() const { return variance || inner_products || coordinates; }
};
StatisticsNeeds operator|(const StatisticsNeeds& a, const StatisticsNeeds& b);

/// The smallest parameter of each inequality that the statistics pass, a measure of noise that
/// needs no parameter: eta^2 = variance/(N |g|^2), theta^2 = inner_product_variance/(N |g|^4) and
/// nu^2 = orthogonal_variance/(N |g|^2), with N = global_batch_size and the given squared_norm.
/// Empty where no parameter passes or nothing was measured: fewer than two chunks, a statistic that
/// is not finite, a squared norm that is not positive.
struct PassingParameters {
  std::optional<double> eta = std::nullopt;
  std::optional<double> theta = std::nullopt;
  std::optional<double> nu = std::nullopt;
};
PassingParameters passing_parameters(const GradientStatistics& statistics);

/// Exponential moving averages of statistics. Numerators and denominators of tests are averaged
/// separately, and a test takes the ratio of the averages: averages of ratios would be dominated by
/// the rounds whose denominator is nearly 0.
struct MovingAverages {
  /// For each of kStatisticFields the sum of decay^age times its value, without a factor 1 - decay.
  std::array<double, kStatisticFields.size()> sums{};
  double weight = 0;  ///< the sum of decay^age
};

/// The statistics with `now` averaged in, `decay` in [0, 1) being the weight of a round against the
/// one after it; 0 gives `now`. Statistics that cannot be used are returned as they are and leave
/// no trace in the averages, but for those of a gradient of zero, which are numbers. Ratios of
/// single coordinates are not averaged.
GradientStatistics average_in(const GradientStatistics& now, double decay,
                              MovingAverages& averages);

}  // namespace localbatch
