// FedProx's proximal term against closed forms.

#include "train/global_parameters.h"

#include <doctest/doctest.h>

#include <cmath>

#include "train/local_sgd_fixtures.h"

namespace localbatch {
namespace {

constexpr double kMu = 0.5;

LocalSgd proximal_method(std::int64_t max_samples, int H, double learning_rate) {
  LocalSgd method = make_method(max_samples, H, learning_rate);
  method.proximal = kMu;
  return method;
}

TEST_CASE("a local step ends with the proximal step of its learning rate") {
  // x_k = 0 and F = |x - target|^2/2: x becomes (x - lr (x - target))/(1 + lr mu).
  const double lr = 0.25;
  const Run result = run(proximal_method(6, 3, lr), kQuiet, 1, 2);
  REQUIRE(result.rounds.size() == 1);
  for (std::size_t i = 0; i < kQuiet.target.size(); ++i) {
    double x = 0;
    for (int h = 0; h < 3; ++h) x = (x - lr * (x - double{kQuiet.target[i]})) / (1 + lr * kMu);
    CHECK(double{result.x[i]} == doctest::Approx(x).epsilon(1e-6));
  }
}

TEST_CASE("local steps without end lead to the minimum of loss and proximal term") {
  // From x_k = 0 to target/(1 + mu), and in a second round to (target + mu x_1)/(1 + mu).
  const Run one = run(proximal_method(400, 400, 0.1), kQuiet, 1, 1);
  const Run two = run(proximal_method(800, 400, 0.1), kQuiet, 1, 1);
  for (std::size_t i = 0; i < kQuiet.target.size(); ++i) {
    const double target = double{kQuiet.target[i]}, x_1 = target / (1 + kMu);
    CHECK(double{one.x[i]} == doctest::Approx(x_1).epsilon(1e-5));
    CHECK(double{two.x[i]} == doctest::Approx((target + kMu * x_1) / (1 + kMu)).epsilon(1e-5));
  }
}

TEST_CASE("workers that go apart stay nearer to each other with a proximal term") {
  QuadraticWorker::Problem apart = kQuiet;
  apart.slopes_by_worker = true;
  const Run free = run(make_method(64, 16, 0.1), apart, 4, 1);
  const Run held = run(proximal_method(64, 16, 0.1), apart, 4, 1);
  CHECK(held.rounds[0].drift < 0.8 * free.rounds[0].drift);
  LocalSgd none = proximal_method(64, 16, 0.1);
  none.proximal = 0;
  CHECK(run(none, apart, 4, 1).rounds[0].drift == free.rounds[0].drift);
}

}  // namespace
}  // namespace localbatch
