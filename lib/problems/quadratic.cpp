#include <algorithm>
#include <cmath>

#include "problems/problem.h"

namespace localbatch {

namespace {

struct QuadraticSettings {
  std::size_t dimension = 1;
  double smallest = 1, largest = 1;  ///< eigenvalues
  float start = 1;
};

/// F(x) = 1/2 sum_i lambda_i x_i^2 with lambda_i in a geometric progression. The minimum lies at
/// zero, where f32 has all its digits: distances can be followed down to 1e-30 and below.
class Quadratic final : public Problem {
 public:
  Quadratic(const QuadraticSettings& settings, const GradientNoise& noise)
      : Problem(noise), start_(settings.start), eigenvalues_(settings.dimension) {
    const double steps = std::max<double>(1, static_cast<double>(settings.dimension) - 1);
    for (std::size_t i = 0; i < eigenvalues_.size(); ++i)
      eigenvalues_[i] = settings.smallest * std::pow(settings.largest / settings.smallest,
                                                     static_cast<double>(i) / steps);
    facts_ = {.smoothness = eigenvalues_.back(),
              .strong_convexity = eigenvalues_.front(),
              .minimum = 0,
              .minimizer = std::vector<double>(settings.dimension)};
  }

  std::size_t dimension() const override { return eigenvalues_.size(); }
  void initial_point(std::span<float> x) const override { std::ranges::fill(x, start_); }

  double value(std::span<const float> x, std::span<double> gradient) const override {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      gradient[i] = eigenvalues_[i] * double{x[i]};
      sum += gradient[i] * double{x[i]} / 2;
    }
    return sum;
  }

 private:
  float start_;
  std::vector<double> eigenvalues_;
};

}  // namespace

ProblemChoice make_quadratic(Options& options) {
  QuadraticSettings settings;
  settings.dimension = static_cast<std::size_t>(
      options.integer("dimension", {.fallback = 20,
                                    .min = 1,
                                    .max = 100'000'000,
                                    .meaning = "number of parameters, one eigenvalue each"}));
  settings.smallest =
      options.number("smallest_eigenvalue",
                     {.fallback = 0.1, .min = 1e-12, .max = 1e12, .meaning = "of the Hessian: mu"});
  settings.largest = options.number(
      "largest_eigenvalue", {.fallback = 1,
                             .min = 1e-12,
                             .max = 1e12,
                             .meaning = "of the Hessian: L; those between grow geometrically. One "
                                        "parameter alone has the smallest"});
  settings.start = static_cast<float>(options.number(
      "start",
      {.fallback = 1, .min = -1e6, .max = 1e6, .meaning = "every coordinate of the first point"}));
  if (settings.largest < settings.smallest)
    options.fail("largest_eigenvalue", fmt::format("found {}, allowed is at least the smallest, {}",
                                                   settings.largest, settings.smallest));
  const bool trace = read_trace(options);
  const GradientNoise noise = read_gradient_noise(options);
  return {.trace = trace, .make = [settings, noise](const LabelledImages&) {
            return std::make_unique<const Quadratic>(settings, noise);
          }};
}

}  // namespace localbatch
