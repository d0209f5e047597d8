#include "bench/tune_kernels.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace localbatch;

namespace {

const ModelConvolution kInner{
    .shape = {.src = {16, 8, 8}, .channels = 32, .kernel = 3, .stride = 1, .padding = 1}};
const ModelConvolution kPointwise{.shape = {.src = {16, 8, 8}, .channels = 32}};
const ModelConvolution kFirst{
    .shape = {.src = {3, 8, 8}, .channels = 16, .kernel = 3, .stride = 1, .padding = 1},
    .reads_input = true};

int count_winograd(const std::vector<KernelChoice>& candidates) {
  return static_cast<int>(std::ranges::count(candidates, true, &KernelChoice::winograd));
}

}  // namespace

TEST_CASE("candidates: both algorithms where they exist, the rule's choice first") {
  const ExecutionOptions execution{.max_samples = 128};
  const std::vector<KernelChoice> inner = candidate_kernels(kInner, execution);
  REQUIRE(inner.size() == 6);
  CHECK(inner.front() == kernel_by_rule(kInner.shape, true, 128));
  CHECK(count_winograd(inner) == 3);
  const int images = inner[0].images_per_slice;
  CHECK(images > 1);
  CHECK(inner[1].images_per_slice == images / 2);
  CHECK(inner[2].images_per_slice == 2 * images);

  CHECK(count_winograd(candidate_kernels(kPointwise, execution)) == 0);
  CHECK(count_winograd(candidate_kernels(kFirst, execution)) == 0);
  CHECK(candidate_kernels(kFirst, execution).front() == kernel_by_rule(kFirst.shape, false, 128));

  const auto of_inner = [](ConvolutionRule rule) {
    return candidate_kernels(kInner, {.max_samples = 128, .convolution = rule});
  };
  CHECK(of_inner(ConvolutionRule::kDirect).size() == 3);
  CHECK(count_winograd(of_inner(ConvolutionRule::kDirect)) == 0);
  CHECK(of_inner(ConvolutionRule::kWinograd).size() == 3);
  CHECK(count_winograd(of_inner(ConvolutionRule::kWinograd)) == 3);
}

TEST_CASE("candidates stay within the micro-batch and are different") {
  for (const int images : {1, 2, 3, 7}) {
    const std::vector<KernelChoice> candidates = candidate_kernels(kInner, {.max_samples = images});
    for (const KernelChoice& candidate : candidates) {
      CHECK(candidate.images_per_slice >= 1);
      CHECK(candidate.images_per_slice <= images);
      CHECK(std::ranges::count(candidates, candidate) == 1);
    }
    if (images == 1) CHECK(candidates.size() == 2);
  }
}

TEST_CASE("the rule is left for the fastest, and only if that is 3 % faster") {
  const auto chosen = [](const std::vector<double>& times) {
    std::vector<KernelCandidate> candidates;
    for (const double time : times) candidates.push_back({.choice = {}, .median_seconds = time});
    return fastest_worth_it(candidates);
  };
  CHECK(chosen({1}) == 0);
  CHECK(chosen({1, 0.98, 0.975, 2}) == 0);
  CHECK(chosen({1, 0.96, 0.95, 2}) == 2);
  CHECK(chosen({1, 0.96, 0.99}) == 1);
}

TEST_CASE("tuning times every candidate in the surroundings of its convolution") {
  for (const ModelConvolution& convolution : {kInner, kPointwise, kFirst}) {
    const ExecutionOptions execution{.max_samples = 8};
    const TunedConvolution tuned = tune_convolution(convolution, execution, 0.005);
    CHECK(tuned.shape == convolution.shape);
    const std::vector<KernelChoice> tried = candidate_kernels(convolution, execution);
    REQUIRE(tuned.candidates.size() == tried.size());
    for (std::size_t i = 0; i < tried.size(); ++i) {
      CHECK(tuned.candidates[i].choice == tried[i]);
      CHECK(tuned.candidates[i].median_seconds > 0);
    }
    CHECK(tuned.chosen == fastest_worth_it(tuned.candidates));
  }
}
