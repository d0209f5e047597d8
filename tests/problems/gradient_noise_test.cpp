#include <cmath>

#include "problems/problem.h"
#include "problems/problems.h"

namespace localbatch {

namespace {

double squared_norm(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return sum;
}

/// What is added to `gradient`.
std::vector<double> noise_in(const GradientNoise& noise, const std::vector<double>& gradient,
                             const ProblemBatch& batch) {
  std::vector<double> noisy = gradient;
  add_noise(noise, batch, noisy);
  for (std::size_t i = 0; i < noisy.size(); ++i) noisy[i] -= gradient[i];
  return noisy;
}

}  // namespace

TEST_CASE("relative noise has the length eta |g|, whatever the batch is") {
  const std::vector<double> gradient = {3, 0, -4, 0, 0};
  for (const double eta : {0.5, 3.0})
    for (const int size : {1, 64})
      for (std::int64_t first = 0; first < 20; ++first) {
        const auto noise =
            noise_in({.relative = eta}, gradient, {.seed = 1, .first = first, .size = size});
        CHECK(squared_norm(noise) == doctest::Approx(25 * eta * eta).epsilon(1e-12));
      }
}

TEST_CASE("relative noise has mean zero and is equal in all directions") {
  constexpr int kDraws = 20000;
  const std::vector<double> gradient = {2, 0, 0, 0};
  std::vector<double> mean(4), square(4);
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto noise = noise_in({.relative = 1}, gradient, {.seed = 2, .first = draw});
    for (std::size_t i = 0; i < 4; ++i) {
      mean[i] += noise[i] / kDraws;
      square[i] += noise[i] * noise[i] / kDraws;
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(std::abs(mean[i]) < 4 / std::sqrt(kDraws));
    CHECK(square[i] == doctest::Approx(1).epsilon(0.05));
  }
}

TEST_CASE("relative noise vanishes with the gradient") {
  CHECK(squared_norm(noise_in({.relative = 1}, {0, 0, 0}, {})) == 0);
}

TEST_CASE("additive noise has variance s2/b in every coordinate") {
  constexpr std::size_t kDimension = 100000;
  const std::vector<double> gradient(kDimension, 5);
  for (const int size : {1, 9}) {
    const auto noise = noise_in({.variance = 4}, gradient, {.seed = 1, .size = size});
    double mean = 0;
    for (const double value : noise) mean += value / kDimension;
    CHECK(squared_norm(noise) / kDimension == doctest::Approx(4.0 / size).epsilon(0.02));
    CHECK(std::abs(mean) < 4 * std::sqrt(4.0 / size / kDimension));
  }
}

TEST_CASE("noise of two workers, and of two batches, has nothing in common") {
  constexpr std::size_t kDimension = 100000;
  const std::vector<double> zero(kDimension);
  const auto one = noise_in({.variance = 1}, zero, {.seed = 1, .worker = 0, .first = 0});
  for (const ProblemBatch other :
       {ProblemBatch{.seed = 1, .worker = 1, .first = 0}, ProblemBatch{.seed = 1, .first = 1}}) {
    const auto two = noise_in({.variance = 1}, zero, other);
    double product = 0;
    for (std::size_t i = 0; i < kDimension; ++i) product += one[i] * two[i] / kDimension;
    CHECK(std::abs(product) < 4 / std::sqrt(kDimension));
  }
}

}  // namespace localbatch
