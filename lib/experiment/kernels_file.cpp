#include "experiment/kernels_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "core/options.h"
#include "experiment/content_hash.h"
#include "experiment/experiment_file.h"
#include "nn/library_info.h"

namespace localbatch {

namespace {

constexpr std::string_view kList = "convolutions";

RecordedKernel read_kernel(const Node& node) {
  Options options(node);
  const auto integer = [&options](std::string_view key, int min, std::string_view meaning) {
    return static_cast<int>(
        options.integer(key, {.fallback = {}, .min = min, .max = 65536, .meaning = meaning}));
  };
  RecordedKernel kernel;
  ConvolutionShape& shape = kernel.shape;
  shape.src.channels = integer("channels", 1, "of the input");
  shape.channels = integer("filters", 1, "channels of the output");
  shape.src.height = integer("height", 1, "of the input");
  shape.src.width = integer("width", 1, "of the input");
  shape.kernel = integer("kernel", 1, "rows and columns of the window");
  shape.stride = integer("stride", 1, "of the window");
  shape.padding = integer("padding", 0, "rows and columns of zeros around the input");
  const std::string algorithm = options.choice(
      "algorithm", {.choices = {"winograd", "direct"}, .meaning = "our own, or oneDNN's"});
  kernel.choice.winograd = algorithm == "winograd";
  kernel.choice.images_per_slice = integer("images_per_slice", 1, "that a thread has at a time");
  options.finish();
  if (kernel.choice.winograd && !winograd_fits(shape))
    options.fail("algorithm",
                 "found 'winograd', which is for 3x3 convolutions with stride 1, padding 1 and "
                 "whole blocks of channels; allowed here is direct");
  kernel.where = to_string(node.where);
  return kernel;
}

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

std::string KernelsFile::hash() const { return fmt::format("{:016x}", content_hash(text)); }

KernelChoices parse_kernels(const std::string& text, const std::string& source) {
  const Node file = parse_experiment(text, source);
  for (const Node::Entry& entry : file.entries)
    if (entry.key != kList)
      fail_input("{}: {}: unknown key, allowed is {}{}", to_string(entry.key_location), entry.key,
                 kList, did_you_mean(entry.key, {std::string(kList)}));
  const Node::Entry* const list = file.find(std::string(kList));
  if (list == nullptr || list->value.kind != Node::Kind::kList || file.entries.size() > 1)
    fail_input("{}: expected one key '{}' with a list", to_string(file.where), kList);
  KernelChoices choices;
  for (const Node& node : list->value.items) {
    const RecordedKernel kernel = read_kernel(node);
    if (const RecordedKernel* const earlier = find_kernel(choices, kernel.shape))
      fail_input("{}: found the convolution of {} again, expected one choice for each",
                 kernel.where, earlier->where);
    choices.push_back(kernel);
  }
  return choices;
}

KernelsFile read_kernels_file(const std::filesystem::path& path) {
  KernelsFile file{.path = path, .text = read_text(path), .choices = {}};
  file.choices = parse_kernels(file.text, path.string());
  return file;
}

void check_kernels_are_used(const KernelsFile& file, const Model& model) {
  if (file.path.empty()) return;
  const bool used = std::ranges::any_of(
      distinct_convolutions(model), [&file](const ConvolutionCount& convolution) {
        return find_kernel(file.choices, convolution.shape) != nullptr;
      });
  if (!used)
    fail_input("{}: found none of the model's convolutions, expected a file that was made for it",
               file.path.string());
}

std::string kernels_text(const TuningRecord& record) {
  const ExecutionOptions& execution = record.execution;
  const std::string load = record.foreign_load
                               ? fmt::format("at most {:.0f} %", 100 * *record.foreign_load)
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
      utc_now(), host_name(), cpu_model(), onednn_version(), onednn_instruction_set(),
      record.networks, precision_name(execution.precision), name_of(execution.convolution),
      execution.max_images, execution.threads, load, kList);
  for (const TunedConvolution& convolution : record.tuned)
    text += times_of(convolution) + line_of(convolution);
  return text;
}

}  // namespace localbatch
