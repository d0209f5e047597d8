#include "train/local_sgd.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "comm/workers.h"
#include "train/local_sgd_fixtures.h"

namespace localbatch {
namespace {

TEST_CASE("one worker without noise is gradient descent") {
  const Run local = run(make_method(40, 4, 0.25), kQuiet, 1, 1);
  double shrunk = 1;
  for (int step = 0; step < 40; ++step) shrunk *= 1 - 0.25;
  for (std::size_t i = 0; i < local.x.size(); ++i)
    CHECK(local.x[i] == doctest::Approx(kQuiet.target[i] * (1 - shrunk)).epsilon(1e-5));
  CHECK(local.rounds.size() == 10);
}

TEST_CASE("a round tells the mean norm of its local steps' gradients over workers and steps") {
  // The gradient is x - target: of norm |target| before the first step, (1 - lr) of it before the
  // second; the other worker's is as long.
  const double length = std::sqrt(1 + 4 + 9 + 0.25);
  const Run local = run(make_method(8, 2, 0.25), kQuiet, 2, 1);
  REQUIRE(local.rounds.size() == 2);
  CHECK(local.rounds[0].gradient_norm == doctest::Approx(length * (1 + 0.75) / 2));
  CHECK(local.rounds[1].gradient_norm == doctest::Approx(length * 0.75 * 0.75 * (1 + 0.75) / 2));
  CHECK(local.rounds[0].clipped_steps == 0);
}

TEST_CASE("H = 1 is synchronous SGD on the mean gradient of the pooled batch") {
  constexpr int kWorkers = 4, kBatch = 3, kSteps = 20;
  constexpr double kRate = 0.1;
  const Run local =
      run(make_method(kWorkers * kBatch * kSteps, 1, kRate), kNoisy, kWorkers, kBatch);

  std::vector<QuadraticWorker> workers;
  for (int m = 0; m < kWorkers; ++m) workers.emplace_back(kNoisy, m);
  std::vector<double> x(kNoisy.target.size(), 0.0);
  for (int step = 0; step < kSteps; ++step) {
    std::vector<double> mean(x.size(), 0.0);
    for (QuadraticWorker& worker : workers) {
      for (std::size_t i = 0; i < x.size(); ++i) worker.parameters()[i] = static_cast<float>(x[i]);
      worker.local_step(kBatch, kRate);
      for (std::size_t i = 0; i < x.size(); ++i) mean[i] += double{worker.gradient()[i]} / kWorkers;
    }
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= kRate * mean[i];
  }
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(double{local.x[i]} == doctest::Approx(x[i]).epsilon(1e-5));
}

TEST_CASE("workers with equal gradients equal one worker") {
  const Run one = run(make_method(24, 3, 0.25), kQuiet, 1, 1);
  const Run four = run(make_method(96, 3, 0.25), kQuiet, 4, 1);
  CHECK(one.x == four.x);
  for (const RoundRecord& round : four.rounds) CHECK(round.drift == 0);
}

TEST_CASE("a round does H local steps and synchronizes state once") {
  const auto processes = single_process();
  QuadraticWorker* seen = nullptr;
  run_workers(1, *processes, [&](Communicator& comm) {
    QuadraticWorker worker(kQuiet, 0);
    seen = &worker;
    const LocalSgd method = make_method(30, 5, 0.1);
    LoopOfWorker(method, worker, make_averaging(), comm, 2).run();
    CHECK(seen->steps() == 15);
    CHECK(seen->synchronizations() == 3);
  });
}

TEST_CASE("the last round is cut to the local steps that the budget allows") {
  const Run local = run(make_method(100, 16, 0.1), kQuiet, 2, 4);
  REQUIRE(local.rounds.size() == 1);
  CHECK(local.rounds[0].local_steps == 13);
  CHECK(local.progress.samples == 104);
}

TEST_CASE("the learning rate is a function of the samples processed before each local step") {
  std::vector<std::int64_t> asked;
  LocalSgd method = make_method(24, 2, 0);
  method.learning_rate.rate = [&](std::int64_t samples, std::int64_t) {
    asked.push_back(samples);
    return 0.1;
  };
  run(method, kQuiet, 1, 4);
  // Each round asks for its rule for H, for the outer step, for its local steps and for its record.
  CHECK(asked == std::vector<std::int64_t>{0, 4, 0, 4, 0, 8, 12, 8, 12, 8, 16, 20, 16, 20, 16});
}

TEST_CASE("stopping between rounds and going on from the same progress gives the same bytes") {
  LocalSgd whole = make_method(4096, 4, 0.05);
  whole.controller = default_part(batch_size_controller_table(), "norm_test");
  whole.num_workers = 4;
  LocalSgd first_half = whole;
  first_half.max_samples = 1000;
  const Run uninterrupted = run(whole, kNoisy, 4, 2);

  std::vector<float> x;
  const auto processes = single_process();
  run_workers(4, *processes, [&](Communicator& comm) {
    QuadraticWorker worker(kNoisy, comm.worker());
    // A round that is cut short would not be the same run, so the first half ends at a round's end.
    std::int64_t stop = 0;
    for (const RoundRecord& round : uninterrupted.rounds)
      if (round.samples <= first_half.max_samples) stop = round.samples;
    LocalSgd first = first_half;
    first.max_samples = stop;
    LoopOfWorker loop(first, worker, make_averaging(), comm, 2);
    loop.run();
    first.max_samples = whole.max_samples;
    loop.run();
    if (comm.worker() == 0) x.assign(worker.parameters().begin(), worker.parameters().end());
  });
  CHECK(x == uninterrupted.x);
}

TEST_CASE("the norm test lets the batch grow while the loss of a noisy problem falls") {
  LocalSgd method = make_method(200000, 8, 0.1);
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  method.limits.max = 512;
  const Run local = run(method, kNoisy, 4, 2);
  CHECK(local.rounds.front().loss > 100 * local.rounds.back().loss);
  int before = 2;
  for (std::size_t k = 0; k + 2 < local.rounds.size(); ++k) {  // the last two share the rest
    CHECK(local.rounds[k].local_batch_size >= before);
    before = local.rounds[k].local_batch_size;
  }
  CHECK(before == 512);
}

TEST_CASE("every round of a test can be audited from its record") {
  LocalSgd method = make_method(20000, 4, 0.1);
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  method.limits = {.max = 64, .multiple_of = 8};
  const Run local = run(method, kNoisy, 4, 8);
  for (const RoundRecord& round : local.rounds) {
    const BatchSizeDecision again =
        apply_limits(method.limits, round.local_batch_size, round.wanted);
    CHECK(again.next == round.decision.next);
    CHECK(again.reason == round.decision.reason);
    if (!round.statistics) {
      CHECK(round.local_batch_size == 64);
      CHECK(round.decision.reason == Reason::kNotDue);
      continue;
    }
    REQUIRE(round.wanted.test.has_value());
    const auto& statistics = *round.statistics;
    CHECK(round.wanted.test->statistic ==
          doctest::Approx(statistics.variance / (4.0 * round.local_batch_size)));
    CHECK(round.wanted.test->threshold == doctest::Approx(0.64 * statistics.squared_norm));
  }
}

TEST_CASE("the gradients that are tested are those of the last local step, or of the first") {
  LocalSgd method = make_method(12, 3, 0.1);
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  const auto tested_squared_norm = [&](bool at_first_step) {
    method.statistics.at_first_step = at_first_step;
    const Run local = run(method, kQuiet, 2, 2);
    REQUIRE(local.rounds.size() == 1);
    REQUIRE(local.rounds[0].statistics.has_value());
    return local.rounds[0].statistics->squared_norm;
  };
  const double at_start = 1 + 4 + 9 + 0.25;  // |0 - target|^2; each step multiplies it by 0.9^2
  CHECK(tested_squared_norm(true) == doctest::Approx(at_start));
  CHECK(tested_squared_norm(false) == doctest::Approx(at_start * 0.81 * 0.81));
}

TEST_CASE("a fixed batch is never tested and a lone worker has no variance") {
  const Run fixed = run(make_method(64, 2, 0.1), kNoisy, 4, 2);
  for (const RoundRecord& round : fixed.rounds) {
    CHECK_FALSE(round.statistics.has_value());
    CHECK(round.decision.reason == Reason::kFixed);
  }
  LocalSgd method = make_method(64, 2, 0.1);
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  const Run lone = run(method, kNoisy, 1, 2);
  for (const RoundRecord& round : lone.rounds) {
    CHECK(round.decision.reason == Reason::kTooFewChunks);
    CHECK(round.decision.next == 2);
  }
}

TEST_CASE("divergence ends the run after the round that shows it") {
  const Run local = run(make_method(100000, 4, 1e20), kQuiet, 2, 1);
  CHECK(local.outcome == Outcome::kDiverged);
  CHECK(local.rounds.size() < 10);
}

}  // namespace
}  // namespace localbatch
