#include <algorithm>
#include <cmath>

#include "problems/problem.h"

namespace localbatch {

namespace {

/// F(x) = sum_i (1 - cos x_i). Its Hessian is diagonal with entries cos x_i in [-1, 1], so L = 1,
/// and F is not convex. F* = 0 at every point whose coordinates are multiples of 2 pi.
class Cosine final : public Problem {
 public:
  Cosine(std::size_t dimension, float start, const GradientNoise& noise)
      : Problem(noise), dimension_(dimension), start_(start) {
    facts_ = {.smoothness = 1, .strong_convexity = 0, .minimum = 0};
  }

  std::size_t dimension() const override { return dimension_; }
  void initial_point(std::span<float> x) const override { std::ranges::fill(x, start_); }

  double value(std::span<const float> x, std::span<double> gradient) const override {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      gradient[i] = std::sin(double{x[i]});
      // 1 - cos x, without its cancellation near the minimum.
      const double half = std::sin(double{x[i]} / 2);
      sum += 2 * half * half;
    }
    return sum;
  }

 private:
  std::size_t dimension_;
  float start_;
};

}  // namespace

ProblemChoice make_cosine(Options& options) {
  const auto dimension = static_cast<std::size_t>(options.integer(
      "dimension",
      {.fallback = 20, .min = 1, .max = 100'000'000, .meaning = "number of parameters"}));
  const auto start = static_cast<float>(options.number(
      "start", {.fallback = 2.5,
                .min = -1e3,
                .max = 1e3,
                .meaning = "every coordinate of the first point; between pi/2 and pi the Hessian "
                           "has negative eigenvalues only"}));
  const bool trace = read_trace(options);
  const GradientNoise noise = read_gradient_noise(options);
  return {.trace = trace, .make = [=](const LabelledImages&) {
            return std::make_unique<const Cosine>(dimension, start, noise);
          }};
}

}  // namespace localbatch
