#include "bench/tuning_log.h"

#include <fmt/ranges.h>

#include "core/machine.h"
#include "nn/execution.h"

namespace localbatch {

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
  return fmt::format("    # {}\n", fmt::join(times, ", "));
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
