#include "bench/tune_kernels.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "bench/measure_training.h"
#include "bench/rate.h"
#include "core/machine.h"
#include "core/stopwatch.h"
#include "core/text.h"
#include "nn/execution.h"

namespace localbatch {

namespace {

double seconds_of(TrainingStep& step) {
  const double started = monotonic_seconds();
  step.run();
  return monotonic_seconds() - started;
}

}  // namespace

std::vector<KernelChoice> candidate_kernels(const ModelConvolution& convolution,
                                            const ExecutionOptions& execution) {
  const bool either = !convolution.reads_input && winograd_fits(convolution.shape);
  const bool winograd_first = either && wants_winograd(execution.convolution);
  std::vector<KernelChoice> candidates;
  const auto add = [&](bool winograd) {
    const KernelChoice rule = kernel_by_rule(convolution.shape, winograd, execution.max_samples);
    const int images = rule.images_per_slice;
    for (const int count : {images, images / 2, 2 * images}) {
      const KernelChoice choice{winograd, std::clamp(count, 1, execution.max_samples)};
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
  return fastest - candidates.begin();
}

TunedConvolution tune_convolution(const ModelConvolution& convolution,
                                  const ExecutionOptions& execution, double seconds) {
  constexpr std::size_t kFewestSteps = 3;
  TunedConvolution tuned{.shape = convolution.shape, .candidates = {}};
  const ImageModel model = probe_network(convolution, true);
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

namespace {

std::string line_of(const TunedConvolution& tuned) {
  const ConvolutionShape& shape = tuned.shape;
  const KernelChoice& choice = tuned.choice().choice;
  return fmt::format(
      "  - {{channels: {}, filters: {}, height: {}, width: {}, kernel: {}, stride: {}, padding: "
      "{}, "
      "algorithm: {}, images_per_slice: {}}}\n",
      shape.src.channels, shape.channels, shape.src.height, shape.src.width, shape.kernel,
      shape.stride, shape.padding, algorithm_name(choice), choice.images_per_slice);
}

std::string times_of(const TunedConvolution& tuned) {
  std::vector<std::string> times;
  for (const KernelCandidate& candidate : tuned.candidates)
    times.push_back(fmt::format("{} {}: {:.3f}", algorithm_name(candidate.choice),
                                candidate.choice.images_per_slice, 1e3 * candidate.median_seconds));
  return fmt::format("    # {}\n", join(times, ", "));
}

}  // namespace

std::string kernels_text(const TuningLog& log) {
  const ExecutionOptions& execution = log.execution;
  const std::string load = log.foreign_load
                               ? fmt::format("at most {:.0f} %", 100 * *log.foreign_load)
                               : std::string("not measured");
  std::string text = fmt::format(
      "# Kernels of convolutions, for `kernels:` in an experiment; they change the bits of "
      "results.\n"
      "# made:       {}, by 'localbatch bench --tune'\n"
      "# machine:    {}, {}\n"
      "# oneDNN:     {}, {}\n"
      "# measured:   {}, {}, convolution {}, micro-batch {}, {} threads\n"
      "# other load: {}\n"
      "# Milliseconds are medians of steps of a small network around the convolution, by "
      "algorithm\n"
      "# and images per slice; the first is the rule's choice, kept unless another is 3 % faster.\n"
      "{}:\n",
      utc_now(), host_name(), cpu_model(), onednn_version(), onednn_instruction_set(), log.networks,
      precision_name(execution.precision), name_of(execution.convolution), execution.max_samples,
      execution.threads, load, "convolutions");
  for (const TunedConvolution& convolution : log.tuned)
    text += times_of(convolution) + line_of(convolution);
  return text;
}

}  // namespace localbatch
