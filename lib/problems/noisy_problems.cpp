#include "problems/noisy_problems.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace localbatch {

namespace {

/// The minimum lies at zero, where f32 has all its digits: distances can be followed down to 1e-30
/// and below.
class Quadratic final : public Problem {
 public:
  explicit Quadratic(const QuadraticSettings& settings)
      : Problem(settings.noise),
        start_(static_cast<float>(settings.start)),
        eigenvalues_(settings.dimension) {
    const double smallest = settings.smallest_eigenvalue, largest = settings.largest_eigenvalue;
    check(largest >= smallest, "the largest eigenvalue is not below the smallest");
    const double steps = std::max<double>(1, static_cast<double>(settings.dimension) - 1);
    for (std::size_t i = 0; i < eigenvalues_.size(); ++i)
      eigenvalues_[i] = smallest * std::pow(largest / smallest, static_cast<double>(i) / steps);
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

ProblemFactory make_quadratic(const QuadraticSettings& settings) {
  return {.trace = settings.trace, .make = [settings](const LabelledImages&) {
            return std::make_unique<const Quadratic>(settings);
          }};
}

ProblemFactory make_quadratic(Options& options) {
  QuadraticSettings settings;
  settings.dimension = options.integer<std::size_t>(
      "dimension", {.fallback = settings.dimension,
                    .min = 1,
                    .max = 100'000'000,
                    .meaning = "number of parameters, one eigenvalue each"});
  settings.smallest_eigenvalue =
      options.number("smallest_eigenvalue", {.fallback = settings.smallest_eigenvalue,
                                             .min = 1e-12,
                                             .max = 1e12,
                                             .meaning = "of the Hessian: mu"});
  settings.largest_eigenvalue = options.number(
      "largest_eigenvalue", {.fallback = settings.largest_eigenvalue,
                             .min = 1e-12,
                             .max = 1e12,
                             .meaning = "of the Hessian: L; those between grow geometrically. One "
                                        "parameter alone has the smallest"});
  settings.start = options.number("start", {.fallback = settings.start,
                                            .min = -1e6,
                                            .max = 1e6,
                                            .meaning = "every coordinate of the first point"});
  if (settings.largest_eigenvalue < settings.smallest_eigenvalue)
    options.fail("largest_eigenvalue",
                 fmt::format("found {}, allowed is at least the smallest, {}",
                             settings.largest_eigenvalue, settings.smallest_eigenvalue));
  settings.trace = read_trace(options);
  settings.noise = read_gradient_noise(options);
  return make_quadratic(settings);
}

namespace {

class Cosine final : public Problem {
 public:
  explicit Cosine(const CosineSettings& settings)
      : Problem(settings.noise),
        dimension_(settings.dimension),
        start_(static_cast<float>(settings.start)) {
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

ProblemFactory make_cosine(const CosineSettings& settings) {
  return {.trace = settings.trace, .make = [settings](const LabelledImages&) {
            return std::make_unique<const Cosine>(settings);
          }};
}

ProblemFactory make_cosine(Options& options) {
  CosineSettings settings;
  settings.dimension =
      options.integer<std::size_t>("dimension", {.fallback = settings.dimension,
                                                 .min = 1,
                                                 .max = 100'000'000,
                                                 .meaning = "number of parameters"});
  settings.start = options.number(
      "start", {.fallback = settings.start,
                .min = -1e3,
                .max = 1e3,
                .meaning = "every coordinate of the first point; between pi/2 and pi the Hessian "
                           "has negative eigenvalues only"});
  settings.trace = read_trace(options);
  settings.noise = read_gradient_noise(options);
  return make_cosine(settings);
}

}  // namespace localbatch
