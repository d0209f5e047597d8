#include "train/problem_worker.h"

#include <doctest/doctest.h>

#include <cmath>

#include "train/local_sgd_fixtures.h"

namespace localbatch {

namespace {

/// F(x) = 1/2 sum_i lambda_i x_i^2, lambda = (1, 4), from x_0 = (3, 1); no noise.
class Bowl final : public Problem {
 public:
  explicit Bowl(const GradientNoise& noise = {}) : Problem(noise) {
    facts_ = {.smoothness = 4, .strong_convexity = 1, .minimum = 0, .minimizer = {0, 0}};
  }

  std::size_t dimension() const override { return 2; }
  void initial_point(std::span<float> x) const override {
    x[0] = 3;
    x[1] = 1;
  }
  double value(std::span<const float> x, std::span<double> gradient) const override {
    gradient[0] = double{x[0]};
    gradient[1] = 4 * double{x[1]};
    return double{x[0]} * double{x[0]} / 2 + 2 * double{x[1]} * double{x[1]};
  }
};

ProblemSetup setup_of(const Problem& problem, bool trace,
                      StatePolicy at_sync = StatePolicy::kKeep) {
  ProblemSetup setup{.problem = problem,
                     .trace = trace,
                     .seed = 1,
                     .inner_optimizer = default_part(inner_optimizer_table(), "sgd")};
  setup.inner_optimizer.at_sync = at_sync;
  return setup;
}

/// What every worker's last evaluation finds after a run of `method`.
std::vector<TestResult> results_of(LocalSgd method, const ProblemSetup& setup, int workers) {
  method.num_workers = workers;
  std::vector<TestResult> results(static_cast<std::size_t>(workers));
  const auto processes = single_process();
  run_workers(workers, *processes, [&](Communicator& comm) {
    ProblemWorker worker(setup, comm);
    LoopOfWorker(method, worker, make_averaging(), comm, 1).run();
    results[static_cast<std::size_t>(comm.worker())] = worker.evaluate(comm);
  });
  return results;
}

}  // namespace

std::size_t averaged_state_size(const ProblemSetup& setup, Communicator& comm) {
  std::vector<Averaged> averaged;
  ProblemWorker worker(setup, comm);
  worker.add_averaged_state(averaged);
  return averaged.empty() ? 0 : averaged[0].mine.size();
}

TEST_CASE("a worker starts at the initial point and steps along the gradient") {
  const Bowl bowl;
  const ProblemSetup setup = setup_of(bowl, false);
  const auto processes = single_process();
  run_workers(1, *processes, [&](Communicator& comm) {
    ProblemWorker worker(setup, comm);
    CHECK(worker.parameters()[0] == 3);
    CHECK(worker.local_step(5, 0.25) == 6.5);
    CHECK(worker.gradient()[0] == 3);
    CHECK(worker.gradient()[1] == 4);
    CHECK(worker.parameters()[0] == 2.25F);
    CHECK(worker.parameters()[1] == 0);
    const FinalModel model = worker.final_model(comm);
    CHECK(model.values == std::vector<float>{2.25F, 0});
    REQUIRE(model.tensors.size() == 1);
    CHECK(model.tensors[0].size == 2);
  });
}

TEST_CASE("a long gradient is stepped along and counted as clipped, and itself left as it is") {
  const Bowl bowl;
  ProblemSetup setup = setup_of(bowl, false);
  setup.inner_optimizer = make_sgd({.clip_norm = 1});
  const auto processes = single_process();
  run_workers(1, *processes, [&](Communicator& comm) {
    ProblemWorker worker(setup, comm);
    worker.local_step(5, 0.25);
    CHECK(worker.gradient()[0] == 3);
    CHECK(worker.gradient()[1] == 4);
    CHECK(worker.gradient_length().norm == 5);
    CHECK(worker.gradient_length().clipped);
    CHECK(double{worker.parameters()[0]} == doctest::Approx(3 - 0.25 * 3 / 5).epsilon(1e-6));
    CHECK(double{worker.parameters()[1]} == doctest::Approx(1 - 0.25 * 4 / 5).epsilon(1e-6));
  });
}

TEST_CASE("each worker's own gradient is clipped, which is not clipping of their mean") {
  // With noise of this size all gradients are clipped; the mean of unit vectors is no unit vector.
  const Bowl bowl({.variance = 100});
  ProblemSetup setup = setup_of(bowl, false);
  setup.inner_optimizer = make_sgd({.clip_norm = 0.01});
  LocalSgd method = make_method(4, 1, 0.5);
  method.num_workers = 4;
  double moved = 0, clipped = 0, norm = 0;
  std::vector<double> norms(4);
  const auto processes = single_process();
  run_workers(4, *processes, [&](Communicator& comm) {
    ProblemWorker worker(setup, comm);
    LoopOfWorker loop(method, worker, make_averaging(), comm, 1);
    loop.run();
    norms[static_cast<std::size_t>(comm.worker())] = worker.gradient_length().norm;
    if (comm.worker() != 0) return;
    moved = std::hypot(double{worker.parameters()[0]} - 3, double{worker.parameters()[1]} - 1);
    clipped = static_cast<double>(loop.observer.rounds.at(0).clipped_steps);
    norm = loop.observer.rounds.at(0).gradient_norm;
  });
  CHECK(clipped == 4);
  CHECK(norm == doctest::Approx((norms[0] + norms[1] + norms[2] + norms[3]) / 4));
  // The mean gradient, clipped to 0.01, would move the parameters by 0.5 of that.
  CHECK(moved < 0.95 * 0.5 * 0.01);
}

TEST_CASE("every step draws new samples, and so does every worker") {
  const Bowl bowl({.variance = 1});
  const ProblemSetup setup = setup_of(bowl, false);
  const auto processes = single_process();
  std::vector<float> first(2), second(2);
  run_workers(2, *processes, [&](Communicator& comm) {
    ProblemWorker worker(setup, comm);
    const auto place = static_cast<std::size_t>(comm.worker());
    worker.local_step(4, 0);
    first[place] = worker.gradient()[0];
    worker.local_step(4, 0);
    second[place] = worker.gradient()[0];
  });
  CHECK(first[0] != first[1]);
  CHECK(first[0] != second[0]);
  CHECK(first[0] != 3);
}

TEST_CASE("an evaluation tells where the point stands, to all workers") {
  const Bowl bowl;
  // Two rounds of two steps with learning rate 1/4: x = (3 (3/4)^4, 0).
  for (const TestResult& result : results_of(make_method(12, 2, 0.25), setup_of(bowl, false), 3)) {
    const double x = 3 * std::pow(0.75, 4);
    CHECK(result.loss == doctest::Approx(x * x / 2));
    CHECK_FALSE(result.images);
    REQUIRE(result.gap);
    CHECK(result.gap->suboptimality == doctest::Approx(x * x / 2));
    CHECK(result.gap->squared_distance == doctest::Approx(x * x));
    CHECK(result.gap->squared_gradient_norm == doctest::Approx(x * x));
    CHECK_FALSE(result.gap->mean_suboptimality);
    CHECK_FALSE(result.gap->mean_squared_gradient_norm);
  }
}

TEST_CASE("traced steps are averaged from the first point to the last but one") {
  const Bowl bowl;
  const auto results = results_of(make_method(12, 2, 0.25), setup_of(bowl, true), 3);
  // (3, 1), (3 3/4, 0), (3 (3/4)^2, 0), (3 (3/4)^3, 0)
  double gap = 2, gradient = 16;
  for (int t = 0; t < 4; ++t) {
    gap += 4.5 * std::pow(0.75, 2 * t);
    gradient += 9 * std::pow(0.75, 2 * t);
  }
  for (const TestResult& result : results) {
    CHECK(*result.gap->mean_suboptimality == doctest::Approx(gap / 4));
    CHECK(*result.gap->mean_squared_gradient_norm == doctest::Approx(gradient / 4));
  }
}

TEST_CASE("a trace watches the workers' mean point, not a worker's own") {
  // Noise moves the workers apart; in one round of two steps the second point of the trace is the
  // mean of theirs, at which synchronization after every step would have stood too.
  const Bowl bowl({.variance = 1});
  const auto local = results_of(make_method(6, 2, 0.125), setup_of(bowl, true), 3);
  const auto synchronous = results_of(make_method(6, 1, 0.125), setup_of(bowl, true), 3);
  CHECK(*local[0].gap->mean_suboptimality ==
        doctest::Approx(*synchronous[0].gap->mean_suboptimality).epsilon(1e-6));
}

TEST_CASE("tracing has no influence on where a run ends") {
  const Bowl bowl({.variance = 1});
  const auto method = make_method(60, 5, 0.125);
  CHECK(results_of(method, setup_of(bowl, true), 3)[0].loss ==
        results_of(method, setup_of(bowl, false), 3)[0].loss);
}

TEST_CASE("optimizer state counts as averaged when it is") {
  const Bowl bowl;
  ProblemSetup setup = setup_of(bowl, false, StatePolicy::kAverage);
  setup.inner_optimizer.make = default_part(inner_optimizer_table(), "adamw").make;
  const auto processes = single_process();
  run_workers(1, *processes, [&](Communicator& comm) {
    CHECK(averaged_state_size(setup, comm) == 4);
    setup.inner_optimizer.at_sync = StatePolicy::kKeep;
    CHECK(averaged_state_size(setup, comm) == 0);
  });
}

}  // namespace localbatch
