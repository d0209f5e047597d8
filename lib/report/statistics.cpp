#include "report/statistics.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace localbatch {

std::optional<Sample> sample_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  Sample sample{.n = static_cast<int>(values.size())};
  double sum = 0;
  for (const double value : values) sum += value;
  sample.mean = sum / sample.n;
  if (sample.n < 2) return sample;
  double squares = 0;
  for (const double value : values) squares += (value - sample.mean) * (value - sample.mean);
  sample.standard_deviation = std::sqrt(squares / (sample.n - 1));
  return sample;
}

double t_quantile(double probability, double degrees_of_freedom) {
  return boost::math::quantile(boost::math::students_t(degrees_of_freedom), probability);
}

std::optional<double> noise_of_difference(const Sample& a, const Sample& b) {
  if (a.n < 2 || b.n < 2 || !a.standard_deviation || !b.standard_deviation) return {};
  const double x = *a.standard_deviation * *a.standard_deviation / a.n;
  const double y = *b.standard_deviation * *b.standard_deviation / b.n;
  if (x + y == 0) return 0;
  const double degrees = (x + y) * (x + y) / (x * x / (a.n - 1) + y * y / (b.n - 1));
  return t_quantile(0.975, degrees) * std::sqrt(x + y);
}

}  // namespace localbatch
