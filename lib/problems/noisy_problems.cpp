#include "problems/noisy_problems.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/random.h"
#include "problems/problem.h"

namespace localbatch {

namespace {

double norm(std::span<const double> x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

}  // namespace

GradientNoise read_gradient_noise(Options& options) {
  GradientNoise noise;
  noise.variance = options.number(
      "noise_variance", {.fallback = 0,
                         .min = 0,
                         .max = 1e12,
                         .meaning = "s2: normal noise of this variance in every coordinate of one "
                                    "sample's gradient, s2/b in the mean of b samples"});
  noise.relative = options.number(
      "relative_noise", {.fallback = 0,
                         .min = 0,
                         .max = 1e3,
                         .meaning = "eta: noise of random direction and of length eta |grad F(x)| "
                                    "in a worker's gradient, whatever the batch size: the "
                                    "assumption of the norm test's theory, with equality"});
  return noise;
}

void add_noise(const GradientNoise& noise, const ProblemBatch& batch, std::span<double> gradient) {
  if (noise.variance == 0 && noise.relative == 0) return;
  RandomStream random(batch.seed, Purpose::kProblemNoise, static_cast<std::uint64_t>(batch.first),
                      static_cast<std::uint32_t>(batch.worker));
  const double relative_length = noise.relative * norm(gradient);
  const double deviation = std::sqrt(noise.variance / batch.size);
  if (deviation > 0)
    for (double& g : gradient) g += deviation * double{random.normal()};
  if (relative_length > 0) {
    // A normal vector has no preferred direction.
    std::vector<double> direction(gradient.size());
    for (double& d : direction) d = double{random.normal()};
    const double scale = relative_length / norm(direction);
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += scale * direction[i];
  }
}

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

ProblemFactory make_quadratic(Options& options) {
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

ProblemFactory make_cosine(Options& options) {
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
