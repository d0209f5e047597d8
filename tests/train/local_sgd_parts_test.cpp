#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/make_node.h"
#include "train/local_sgd_fixtures.h"

// What the loop tells the parts that are plugged into it.

namespace localbatch {
namespace {

TEST_CASE("a rule for H sees the losses of the first round and of the one before") {
  LocalSgd method = make_method(64, 2, 0.25);
  std::vector<SyncContext> seen;
  method.sync_interval.rule = [&seen](const SyncContext& context) {
    seen.push_back(context);
    return 2;
  };
  const Run local = run(method, kQuiet, 1, 4);
  REQUIRE(seen.size() == 8);
  REQUIRE(local.rounds.size() == 8);
  CHECK(seen[0].first_loss == 0);
  CHECK(seen[0].last_loss == 0);
  for (std::size_t k = 1; k < seen.size(); ++k) {
    CHECK(seen[k].first_loss == local.rounds[0].loss);
    CHECK(seen[k].last_loss == local.rounds[k - 1].loss);
  }
  CHECK(local.progress.first_loss == local.rounds[0].loss);
  CHECK(local.progress.last_loss == local.rounds[7].loss);
}

TEST_CASE(
    "the outer optimizer is told the learning rate of the last local step, and how late it is") {
  std::vector<double> rates, elapsed;
  struct Listener final : OuterOptimizer {
    Listener(std::vector<double>& heard, std::vector<double>& late) : rates(heard), elapsed(late) {}
    void step(std::span<float> global, std::span<const float> mean,
              const OuterStep& size) override {
      std::ranges::copy(mean, global.begin());
      rates.push_back(size.inner_rate);
      elapsed.push_back(size.elapsed);
    }
    std::span<float> state() override { return {}; }
    std::vector<double>&rates, &elapsed;
  };
  const auto listens = [&](std::size_t) { return std::make_unique<Listener>(rates, elapsed); };
  LocalSgd method = make_method(24, 3, 0);
  method.learning_rate.rate = [](std::int64_t samples, std::int64_t) {
    return 1.0 / static_cast<double>(1 + samples);
  };
  run_workers(1, *single_process(), [&](Communicator& comm) {
    QuadraticWorker worker(kQuiet, 0);
    LoopOfWorker(method, worker, listens, comm, 4).run();
  });
  CHECK(rates == std::vector<double>{1.0 / 9, 1.0 / 21});
  CHECK(elapsed == std::vector<double>{0, 0.5});
}

TEST_CASE("a schedule of batch sizes is followed without a test") {
  const Node file = map({{"factor", scalar("2")}, {"every_samples", scalar("32")}});
  Options options(file);
  LocalSgd method = make_method(160, 2, 0.1);
  for (const PartRow<std::shared_ptr<const BatchSizeController>>& row :
       batch_size_controller_table())
    if (row.name == "geometric") method.controller = row.make(options);
  method.initial_local_batch_size = 4;
  method.limits.max = 16;
  method.learning_rate_coupling.factor = [](const CouplingContext& now) {
    return std::sqrt(now.growth);
  };
  const Run local = run(method, kQuiet, 2, 4);
  std::vector<int> sizes;
  std::vector<Reason> reasons;
  for (const RoundRecord& round : local.rounds) {
    CHECK_FALSE(round.statistics);
    sizes.push_back(round.local_batch_size);
    CHECK(round.learning_rate == doctest::Approx(0.1 * std::sqrt(round.local_batch_size / 4.0)));
    reasons.push_back(round.decision.reason);
  }
  // Samples after the rounds: 16, 32, 64, 128, 160. The learning rate grows with the root.
  CHECK(sizes == std::vector<int>{4, 4, 8, 16, 16});
  CHECK(reasons == std::vector<Reason>{Reason::kSchedule, Reason::kSchedule, Reason::kSchedule,
                                       Reason::kCap, Reason::kCap});
}

}  // namespace
}  // namespace localbatch
