#include "nn/kernels_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/options.h"
#include "core/yaml.h"
#include "nn/model.h"

namespace localbatch {

namespace {

constexpr std::string_view kList = "convolutions";

KernelOverride read_kernel(const Node& node) {
  Options options(node);
  const auto integer = [&options](std::string_view key, int min, std::string_view meaning) {
    return options.integer<int>(key,
                                {.fallback = {}, .min = min, .max = 65536, .meaning = meaning});
  };
  KernelOverride kernel;
  ConvolutionShape& shape = kernel.shape;
  shape.src.channels = integer("channels", 1, "of the input");
  shape.channels = integer("filters", 1, "channels of the output");
  shape.src.height = integer("height", 1, "of the input");
  shape.src.width = integer("width", 1, "of the input");
  shape.kernel = integer("kernel", 1, "rows and columns of the window");
  shape.stride = integer("stride", 1, "of the window");
  shape.padding = integer("padding", 0, "rows and columns of zeros around the input");
  kernel.choice.winograd = options.choice<bool>(
      "algorithm",
      {.choices = {{"winograd", true}, {"direct", false}}, .meaning = "our own, or oneDNN's"});
  kernel.choice.images_per_slice = integer("images_per_slice", 1, "that a thread has at a time");
  options.finish();
  if (kernel.choice.winograd && !winograd_fits(shape))
    options.fail("algorithm",
                 "found 'winograd', which is for 3x3 convolutions with stride 1, padding 1 and "
                 "whole blocks of channels; allowed here is direct");
  kernel.where = to_string(node.where);
  return kernel;
}

}  // namespace

std::string KernelsFile::hash() const { return fmt::format("{:016x}", checksum(text)); }

KernelChoices parse_kernels(const std::string& text, const std::string& source) {
  const Node file = parse_yaml(text, source);
  for (const Node::Entry& entry : file.entries)
    if (entry.key != kList)
      fail_input("{}: {}: unknown key, allowed is {}", to_string(entry.key_location), entry.key,
                 allowed_names(entry.key, {std::string(kList)}));
  const Node::Entry* const list = file.find(std::string(kList));
  if (list == nullptr || list->value.kind != Node::Kind::kList || file.entries.size() > 1)
    fail_input("{}: expected one key '{}' with a list", to_string(file.where), kList);
  KernelChoices choices;
  for (const Node& node : list->value.items) {
    const KernelOverride kernel = read_kernel(node);
    if (const KernelOverride* const earlier = find_kernel(choices, kernel.shape))
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
  const bool used = std::ranges::any_of(model.kernels({}), [&file](const LayerKernel& kernel) {
    return find_kernel(file.choices, kernel.shape) != nullptr;
  });
  if (!used)
    fail_input("{}: found none of the model's convolutions, expected a file that was made for it",
               file.path.string());
}

}  // namespace localbatch
