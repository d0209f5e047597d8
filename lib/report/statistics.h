#pragma once

#include <optional>
#include <vector>

namespace localbatch {

/// What is known of a quantity from the seeds that it was measured with.
struct Sample {
  double mean = 0;
  std::optional<double> standard_deviation = {};  ///< divisor n - 1; nothing for n = 1
  int n = 0;
};

/// Nothing without values.
std::optional<Sample> sample_of(const std::vector<double>& values);

/// The quantile of Student's t distribution; `degrees_of_freedom` need not be whole.
double t_quantile(double probability, double degrees_of_freedom);

/// How far two means may lie apart by the noise of their seeds: half of the two-sided 95 %
/// confidence interval of their difference by Welch 1947, t_{0.975, f} sqrt(s1^2/n1 + s2^2/n2) with
/// f = (s1^2/n1 + s2^2/n2)^2 / ((s1^2/n1)^2/(n1 - 1) + (s2^2/n2)^2/(n2 - 1)). Nothing when one of
/// them has a single seed, or an unknown deviation.
std::optional<double> noise_of_difference(const Sample& a, const Sample& b);

}  // namespace localbatch
