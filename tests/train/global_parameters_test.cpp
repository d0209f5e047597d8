// What holds a worker near the others, and how much it counts among them, against closed forms.

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
}

TEST_CASE("weights of moves are a softmax of their negative norms, times the workers") {
  const std::vector<double> norms{1, 2, 4};
  const std::vector<double> weights = weights_of_moves(norms, 2);
  const double sum = std::exp(-0.5) + std::exp(-1) + std::exp(-2);
  for (std::size_t m = 0; m < 3; ++m)
    CHECK(weights[m] == doctest::Approx(3 * std::exp(-norms[m] / 2) / sum));
  CHECK(weights_of_moves(std::vector<double>{7, 7, 7, 7}, 1) == std::vector<double>(4, 1));
  // Norms that differ by far more than the temperature leave the shortest move alone.
  CHECK(weights_of_moves(std::vector<double>{1e6, 3, 1e6}, 1) == std::vector<double>{0, 3, 0});
  CHECK(std::isnan(weights_of_moves(std::vector<double>{std::nan(""), 3}, 1)[1]));
  CHECK(weights_of_moves(std::vector<double>{HUGE_VAL, 3}, 1) == std::vector<double>{0, 2});
}

TEST_CASE("the mean has the weights of the workers' moves") {
  // Two workers at x_k = 0 that go to c and to -c/2, and to different lengths so.
  constexpr double kTemperature = 0.5;
  LocalSgd method = make_method(2, 1, 1);
  method.num_workers = 2;
  method.weights_temperature = kTemperature;
  const std::vector<float> c{0.6F, 0.8F};
  std::vector<float> reached;
  run_workers(2, *single_process(), [&](Communicator& comm) {
    QuadraticWorker::Problem problem{.target = c};
    if (comm.worker() == 1) problem.target = {-0.3F, -0.4F};
    QuadraticWorker worker(problem, 0);
    LoopOfWorker loop(method, worker, make_averaging(), comm, 1);
    loop.run();
    if (comm.worker() == 0) reached.assign(worker.parameters().begin(), worker.parameters().end());
  });
  const double far = std::exp(-1 / kTemperature), near = std::exp(-0.5 / kTemperature);
  const double factor = (far - 0.5 * near) / (far + near);
  for (std::size_t i = 0; i < c.size(); ++i)
    CHECK(double{reached[i]} == doctest::Approx(factor * double{c[i]}).epsilon(1e-5));
}

}  // namespace
}  // namespace localbatch
