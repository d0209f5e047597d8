#include "bench/tune_kernels.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "bench/rate.h"
#include "bench/training_step.h"

namespace localbatch {

namespace {

double seconds_of(TrainingStep& step) {
  const auto started = std::chrono::steady_clock::now();
  step.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

}  // namespace

std::vector<KernelChoice> candidate_kernels(const ConvolutionCount& convolution,
                                            const ExecutionOptions& execution) {
  const bool either = !convolution.reads_images && winograd_fits(convolution.shape);
  const bool winograd_first = either && wants_winograd(execution.convolution);
  std::vector<KernelChoice> candidates;
  const auto add = [&](bool winograd) {
    const KernelChoice rule = kernel_by_rule(convolution.shape, winograd, execution.max_images);
    const int images = rule.images_per_slice;
    for (const int count : {images, images / 2, 2 * images}) {
      const KernelChoice choice{winograd, std::clamp(count, 1, execution.max_images)};
      if (std::ranges::find(candidates, choice) == candidates.end()) candidates.push_back(choice);
    }
  };
  add(winograd_first);
  if (either && execution.convolution == ConvolutionRule::kAuto) add(!winograd_first);
  return candidates;
}

std::size_t fastest_worth_it(const std::vector<KernelCandidate>& candidates) {
  const auto fastest = std::ranges::min_element(candidates, {}, &KernelCandidate::median_seconds);
  if (fastest->median_seconds > 0.97 * candidates.front().median_seconds) return 0;
  return static_cast<std::size_t>(fastest - candidates.begin());
}

TunedConvolution tune_convolution(const ConvolutionCount& convolution,
                                  const ExecutionOptions& execution, double seconds) {
  constexpr std::size_t kFewestSteps = 3;
  TunedConvolution tuned{.shape = convolution.shape, .candidates = {}};
  const Model model = surroundings(convolution, true);
  std::vector<std::unique_ptr<TrainingStep>> steps;
  for (const KernelChoice& choice : candidate_kernels(convolution, execution)) {
    ExecutionOptions options = execution;
    options.kernels = {{.shape = convolution.shape, .choice = choice, .where = "a candidate"}};
    tuned.candidates.push_back({.choice = choice});
    steps.push_back(std::make_unique<TrainingStep>(model, options));
    steps.back()->run();
  }

  std::vector<std::vector<double>> times(steps.size());
  const double budget = seconds * static_cast<double>(steps.size());
  for (double spent = 0; spent < budget || times.back().size() < kFewestSteps;) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      times[i].push_back(seconds_of(*steps[i]));
      spent += times[i].back();
    }
  }
  for (std::size_t i = 0; i < steps.size(); ++i)
    tuned.candidates[i].median_seconds = median(std::move(times[i]));
  tuned.chosen = fastest_worth_it(tuned.candidates);
  return tuned;
}

}  // namespace localbatch
