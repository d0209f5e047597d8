#include "train/method.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "train/local_sgd_fixtures.h"

// What a round is going to do is a pure function of the method and of where the run stands.

namespace localbatch {
namespace {

LocalSgd tested_method() {
  LocalSgd method = make_method(1000, 5, 0.1);
  method.num_workers = 4;
  method.initial_local_batch_size = 4;
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  method.learning_rate.rate = [](std::int64_t samples, std::int64_t max_samples) {
    return 1.0 - static_cast<double>(samples) / static_cast<double>(max_samples);
  };
  method.learning_rate_coupling.factor = [](const CouplingContext& now) {
    return now.growth + now.initial_variance + now.squared_norm;
  };
  return method;
}

struct PlanValues {
  std::int64_t round, samples;
  int b, H;
  std::vector<double> rates;
  bool observed, tested, audited;

  friend bool operator==(const PlanValues&, const PlanValues&) = default;
};

PlanValues values_of(const RoundPlan& plan) {
  PlanValues values{plan.round, plan.samples,  plan.local_batch_size, plan.local_steps,
                    {},         plan.observed, plan.tested,           plan.audited};
  for (int h = 0; h < plan.local_steps; ++h) values.rates.push_back(plan.learning_rate(h));
  return values;
}

TEST_CASE("the same progress gives the same plan, whatever was planned or trained in between") {
  const LocalSgd method = tested_method();
  const Progress early{.round = 3, .samples = 240, .local_batch_size = 4};
  const Progress late{.round = 9,
                      .samples = 720,
                      .local_batch_size = 12,
                      .first_loss = 2,
                      .last_loss = 1,
                      .variance = 32,
                      .squared_norm = 0.5};
  const RoundPlan kept = method.plan(early);
  const PlanValues before = values_of(kept), other = values_of(method.plan(late));
  run(method, kNoisy, 4, 4);
  CHECK(values_of(method.plan(late)) == other);
  CHECK(values_of(method.plan(early)) == before);
  CHECK(values_of(kept) == before);
  CHECK_FALSE(before == other);
}

TEST_CASE("a plan has the round's samples and the learning rate of each local step") {
  const LocalSgd method = tested_method();
  const RoundPlan plan = method.plan(
      {.round = 9, .samples = 240, .local_batch_size = 12, .variance = 32, .squared_norm = 0.5});
  CHECK(plan.round == 10);
  CHECK(plan.local_steps == 5);
  CHECK(plan.samples == 240 + 4 * 12 * 5);
  // The batch has grown 3-fold; 32/(4 workers x 4 samples) is the variance of the first mean.
  for (int h = 0; h < 5; ++h)
    CHECK(plan.learning_rate(h) == (3 + 2 + 0.5) * (1 - (240 + 48.0 * h) / 1000));
}

TEST_CASE("runs of all batch sizes process the budget, with no step of a sample or two") {
  LocalSgd method = tested_method();
  for (const int b : {1, 3, 7, 64, 100, 249, 250, 1024})
    for (const int H : {1, 2, 5, 16}) {
      CAPTURE(b);
      CAPTURE(H);
      method.sync_interval = {[H](const SyncContext&) { return H; }};
      Progress at{.local_batch_size = b};
      while (at.samples < method.max_samples) {
        const RoundPlan round = method.plan(at);
        CHECK(round.local_batch_size <= b);
        CHECK(round.local_batch_size >= std::min(250, (b + 1) / 2));
        at.round = round.round;
        at.samples = round.samples;
      }
      CHECK(at.samples >= 1000);
      CHECK(at.samples < 1000 + 4 * H);
    }
}

TEST_CASE("a batch that has grown beyond what is left of the budget is cut, and its rate with it") {
  const LocalSgd method = tested_method();
  const RoundPlan plan = method.plan(
      {.round = 9, .samples = 920, .local_batch_size = 4096, .variance = 32, .squared_norm = 0.5});
  CHECK(plan.local_batch_size == 20);
  CHECK(plan.local_steps == 1);
  CHECK(plan.samples == 1000);
  CHECK(plan.learning_rate(0) == (5 + 2 + 0.5) * (1 - 0.92));
}

TEST_CASE("the budget cuts the last round, and the rule for H is told apart from it") {
  const LocalSgd method = tested_method();
  const Progress near_the_end{.round = 40, .samples = 970, .local_batch_size = 4};
  CHECK(method.plan(near_the_end).local_steps == 2);  // 30 samples, 16 in each step
  CHECK(method.plan(near_the_end).samples == 1002);
  CHECK(method.wanted_sync_interval(near_the_end) == 5);
}

TEST_CASE("who looks at a round's gradients") {
  LocalSgd method = tested_method();
  method.limits.max = 8;
  method.limits.every_rounds = 2;
  const auto plan = [&](std::int64_t round, int b) {
    return method.plan({.round = round - 1, .local_batch_size = b});
  };
  CHECK_FALSE(plan(1, 4).measured());
  CHECK(plan(2, 4).tested);
  CHECK_FALSE(plan(2, 8).tested);  // it cannot grow any more
  method.observer_needs.variance = true;
  CHECK(plan(2, 8).observed);
  CHECK_FALSE(plan(2, 8).tested);
  CHECK_FALSE(plan(3, 8).observed);
  method.audit.every_rounds = 3;
  CHECK(plan(3, 8).audited);
  CHECK(plan(3, 8).measured());
  CHECK_FALSE(plan(3, 8).observed);
  method.learning_rate_coupling.needs_statistics = true;
  CHECK(plan(2, 8).tested);
}

TEST_CASE("without statistics a test keeps the batch, and a schedule does not need them") {
  LocalSgd method = tested_method();
  const RoundPlan plan = method.plan({.local_batch_size = 6});
  const RoundRecord kept = method.decide(plan, {.loss = 3, .drift = 1}, {});
  CHECK(kept.decision.next == 6);
  CHECK(kept.decision.reason == Reason::kNotDue);
  CHECK(kept.loss == 3);
  CHECK(kept.samples == plan.samples);
  CHECK_FALSE(kept.residual);
  method.format.payload = Payload::kBfloat16;
  CHECK(method.decide(plan, {.residual = 0.25}, {}).residual == 0.25);
}

}  // namespace
}  // namespace localbatch
