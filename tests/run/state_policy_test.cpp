#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "run/run_fixtures.h"

namespace localbatch {

namespace {

constexpr std::size_t kParameters = 269722 + 2752;  // ResNet-20 with projections

/// ResNet-20 on two workers in rounds of two local steps, evaluated after each.
RunResult run_rounds(int rounds, const ScratchFolder& scratch, const std::string& output,
                     const std::string& setting) {
  RunResult result = run_alone(
      request(scratch, tiny_experiment(), output,
              {"workers=2", "model={name: resnet}", "max_samples=" + std::to_string(16 * rounds),
               "batch_size={initial: 4, micro_batch: 4}", "batch_size_controller={}",
               "inner_optimizer={name: sgd, momentum: 0.9, at_sync: keep}",
               "evaluation.every_samples=1", setting}));
  CHECK(result.outcome == Outcome::kFinished);
  CHECK(result.rounds == rounds);
  return result;
}

/// What three rounds end with.
std::vector<float> final_values_with(const ScratchFolder& scratch, const std::string& output,
                                     const std::string& setting) {
  return final_values(run_rounds(3, scratch, output, setting).folder);
}

}  // namespace

TEST_CASE("what happens to momentum at a synchronization changes the parameters") {
  const ScratchFolder scratch;
  const auto with = [&](const std::string& policy) {
    return final_values_with(scratch, policy, "inner_optimizer.at_sync=" + policy);
  };
  const std::vector<float> keep = with("keep"), average = with("average"), reset = with("reset");
  CHECK(keep != average);
  CHECK(keep != reset);
  CHECK(average != reset);
}

TEST_CASE("what happens to batch-norm statistics at a synchronization leaves parameters alone") {
  const ScratchFolder scratch;
  const auto with = [&](const std::string& policy) {
    return final_values_with(scratch, policy, "batch_norm_at_sync=" + policy);
  };
  const std::vector<float> keep = with("local"), average = with("average"), reset = with("reset");
  const std::vector<float> recomputed = with("recompute");
  REQUIRE(keep.size() > kParameters);
  const auto parameters = [](const std::vector<float>& values) {
    return std::vector<float>(values.begin(), values.begin() + kParameters);
  };
  CHECK(parameters(keep) == parameters(average));
  CHECK(parameters(keep) == parameters(reset));
  CHECK(parameters(keep) == parameters(recomputed));
  CHECK(keep != recomputed);
  // Running averages are linear: averaging them at each synchronization or once at the end differs
  // by rounding only.
  float largest_difference = 0, largest_change = 0;
  for (std::size_t i = kParameters; i < keep.size(); ++i) {
    largest_difference = std::max(largest_difference, std::abs(keep[i] - average[i]));
    largest_change = std::max(largest_change, std::abs(keep[i] - reset[i]));
  }
  CHECK(largest_difference < 1e-5F);
  CHECK(largest_change > 1e-2F);
}

TEST_CASE("after the first round, evaluation and final statistics are the same for all policies") {
  const ScratchFolder scratch;
  const auto with = [&](const std::string& policy) {
    return run_rounds(1, scratch, policy, "batch_norm_at_sync=" + policy).folder;
  };
  const auto keep = with("local"), average = with("average"), reset = with("reset");
  for (const auto& other : {average, reset}) {
    CHECK(text_of(keep / "evaluations.csv") == text_of(other / "evaluations.csv"));
    CHECK(final_values(keep) == final_values(other));
  }
}

}  // namespace localbatch
