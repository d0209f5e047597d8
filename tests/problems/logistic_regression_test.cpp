#include "problems/logistic_regression.h"

#include <array>
#include <cmath>

#include "core/error.h"
#include "problems/binary_features.h"
#include "problems/problems.h"

namespace localbatch {

namespace {

std::string input_error_of(const std::string& name, const Keys& keys, const RandomImages& images) {
  try {
    make(read_problem(name, keys), images);
  } catch (const InputError& error) {
    return error.what();
  }
  return "(no InputError)";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("features are centred means of squares with a bias behind them, signs the two halves") {
  const RandomImages images(60);
  const BinaryFeatures features = binary_features(images.view(), {.samples = 50, .pool = 2});
  CHECK(features.samples() == 50);
  REQUIRE(features.size == 2 * 3 + 1);
  double square = 0;
  for (std::size_t j = 0; j < 6; ++j) {
    double mean = 0;
    for (std::size_t i = 0; i < 50; ++i) {
      const double value = double{features.sample(i)[j]};
      mean += value / 50;
      square += value * value / 300;
    }
    CHECK(std::abs(mean) < 1e-6);
  }
  CHECK(square == doctest::Approx(1).epsilon(1e-6));
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(features.sample(i)[6] == 1);
    CHECK(features.signs[i] == (images.labels[i] < 2 ? 1 : -1));
  }
  // The second square of two images, up to the common shift and scale.
  const auto pixel_sum = [&](std::size_t i) {
    const std::uint8_t* const image = images.pixels.data() + i * 24;
    return image[2] + image[3] + image[8] + image[9];
  };
  const auto feature = [&](std::size_t i) { return double{features.sample(i)[1]}; };
  CHECK((feature(1) - feature(0)) / (feature(2) - feature(0)) ==
        doctest::Approx(static_cast<double>(pixel_sum(1) - pixel_sum(0)) /
                        (pixel_sum(2) - pixel_sum(0)))
            .epsilon(1e-5));
}

TEST_CASE("the loss is that of logistic regression, and large margins do no harm") {
  const LogisticLoss loss({.size = 1, .values = {1, 2}, .signs = {1, -1}}, 0.5);
  std::array<double, 1> gradient{};
  const double w = 0.7;
  CHECK(
      loss.value(std::array{w}, gradient) ==
      doctest::Approx((std::log1p(std::exp(-w)) + std::log1p(std::exp(2 * w))) / 2 + 0.25 * w * w));
  CHECK(loss.value(std::array{-1e4}, gradient) == doctest::Approx(0.5e4 + 0.25e8));
  CHECK(loss.value(std::array{1e4}, gradient) == doctest::Approx(1e4 + 0.25e8));
}

TEST_CASE("two signs at one place have the minimum log 2") {
  const auto minimizer =
      LogisticLoss({.size = 1, .values = {1, 1}, .signs = {1, -1}}, 0).minimizer();
  REQUIRE(minimizer);
  CHECK(std::abs((*minimizer)[0]) < 1e-12);
  // Three of four: the probability is 3/4.
  const auto three =
      LogisticLoss({.size = 1, .values = {1, 1, 1, 1}, .signs = {1, 1, -1, 1}}, 0).minimizer();
  REQUIRE(three);
  CHECK((*three)[0] == doctest::Approx(std::log(3)).epsilon(1e-10));
}

TEST_CASE("features that are always zero leave the minimizer nearest to zero") {
  const auto minimizer =
      LogisticLoss({.size = 2, .values = {1, 0, 1, 0, 1, 0}, .signs = {1, 1, -1}}, 0).minimizer();
  REQUIRE(minimizer);
  CHECK((*minimizer)[0] == doctest::Approx(std::log(2)).epsilon(1e-10));
  CHECK((*minimizer)[1] == 0);
}

TEST_CASE("separable samples have no minimum without a ridge, and one with it") {
  const BinaryFeatures separable{.size = 1, .values = {1, -2}, .signs = {1, -1}};
  CHECK_FALSE(LogisticLoss(separable, 0).minimizer());
  CHECK(LogisticLoss(separable, 1e-3).minimizer());
  const RandomImages few(4);
  CHECK(has(input_error_of("logistic_regression", {}, few), "hyperplane separates"));
  CHECK(input_error_of("logistic_regression", {{"ridge", "0.1"}}, few) == "(no InputError)");
}

TEST_CASE("images that do not fit are refused") {
  const RandomImages images(10);
  CHECK(input_error_of("logistic_regression", {{"pool", "4"}}, images) ==
        "problem.pool: found 4, which does not divide images of 4 x 6 pixels");
  CHECK(input_error_of("logistic_regression", {{"samples", "11"}}, images) ==
        "problem.samples: found 11, but the training set has 10 images");
  CHECK(has(input_error_of("logistic_regression", {{"relative_noise", "0.5"}}, images),
            "relative_noise: found with 'gradient: samples'"));
}

TEST_CASE("sample number s of a worker does not depend on batch sizes") {
  const auto problem = make(make_logistic_regression({}, {.ridge = 0.1}));
  const std::vector<float> x = random_point(problem->dimension(), 0);
  const auto whole = sample_of(*problem, x, {.seed = 1, .worker = 1, .first = 10, .size = 6});
  std::vector<double> parts(x.size());
  for (const ProblemBatch part :
       {ProblemBatch{1, 1, 10, 1}, ProblemBatch{1, 1, 11, 3}, ProblemBatch{1, 1, 14, 2}}) {
    const auto gradient = sample_of(*problem, x, part);
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i] += gradient[i] * part.size / 6;
  }
  for (std::size_t i = 0; i < parts.size(); ++i)
    CHECK(whole[i] == doctest::Approx(parts[i]).epsilon(1e-12));
}

TEST_CASE("exact gradients ask for no samples, and take relative noise") {
  const auto problem = make(make_logistic_regression(
      {}, {.ridge = 0.1, .exact_gradient = true, .noise = {.relative = 0.5}}));
  const std::vector<float> x = random_point(problem->dimension(), 0);
  const auto exact = gradient_of(*problem, x);
  const auto noisy = sample_of(*problem, x, {.seed = 1, .size = 3});
  double distance = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    distance += (noisy[i] - exact[i]) * (noisy[i] - exact[i]);
    norm += exact[i] * exact[i];
  }
  CHECK(distance == doctest::Approx(0.25 * norm).epsilon(1e-12));
}

TEST_CASE("generated labels follow the logistic model") {
  const BinaryFeatures made =
      generate_binary_features({.samples = 20000, .features = 4, .signal = 2, .seed = 1});
  REQUIRE(made.size == 5);
  const auto w = LogisticLoss(made, 0).minimizer();
  REQUIRE(w);
  for (std::size_t j = 0; j < 4; ++j) CHECK((*w)[j] == doctest::Approx(1).epsilon(0.1));
  CHECK(std::abs((*w)[4]) < 0.1);
}

}  // namespace localbatch
