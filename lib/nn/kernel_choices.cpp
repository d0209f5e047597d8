#include "nn/kernel_choices.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/channel_block.h"
#include "core/error.h"
#include "nn/execution.h"
#include "nn/layers.h"
#include "nn/linear_operator.h"
#include "nn/winograd.h"

namespace localbatch {

std::int64_t multiply_adds(const ConvolutionShape& shape, bool winograd) {
  const std::int64_t weights = std::int64_t{shape.src.channels} * shape.channels;
  if (winograd)
    return weights * winograd::kPoints *
           winograd::tiles_per_image({shape.src.channels, shape.src.height, shape.src.width});
  const ImageShape dst = shape.dst();
  return weights * shape.kernel * shape.kernel * dst.height * dst.width;
}

std::string to_string(const ConvolutionShape& shape) {
  return fmt::format("{}x{}x{} -> {}, {}x{}/{}", shape.src.channels, shape.src.height,
                     shape.src.width, shape.channels, shape.kernel, shape.kernel, shape.stride);
}

std::string_view name_of(ConvolutionRule rule) {
  using Row = std::pair<std::string_view, ConvolutionRule>;
  const auto* const found = std::ranges::find(kConvolutionRules, rule, &Row::second);
  check(found != kConvolutionRules.end(), "a rule for convolutions has a name");
  return found->first;
}

const KernelOverride* find_kernel(const KernelChoices& choices, const ConvolutionShape& shape) {
  const auto found = std::ranges::find(choices, shape, &KernelOverride::shape);
  return found == choices.end() ? nullptr : &*found;
}

bool winograd_fits(const ConvolutionShape& shape) {
  return shape.kernel == 3 && shape.stride == 1 && shape.padding == 1 &&
         shape.src.channels % kChannelBlock == 0 && shape.channels % kChannelBlock == 0;
}

bool wants_winograd(ConvolutionRule rule) {
  return rule == ConvolutionRule::kWinograd ||
         (rule == ConvolutionRule::kAuto && kWinogradIsFaster);
}

const KernelOverride* kernel_against(const KernelChoices& choices, ConvolutionRule rule) {
  if (rule == ConvolutionRule::kAuto) return nullptr;
  const auto found = std::ranges::find_if(choices, [rule](const KernelOverride& kernel) {
    return winograd_fits(kernel.shape) && kernel.choice.winograd != wants_winograd(rule);
  });
  return found == choices.end() ? nullptr : &*found;
}

KernelChoice kernel_by_rule(const ConvolutionShape& shape, bool winograd, int max_images) {
  if (winograd) return {true, winograd_images_per_slice(shape.src, max_images)};
  const LinearShape linear{.src = shape.src, .dst = shape.dst(), .kernel = shape.kernel};
  return {false, images_per_slice(linear, max_images)};
}

KernelChoice choose_kernel(const ConvolutionShape& shape, bool reads_input,
                           const ExecutionOptions& options) {
  const bool can_winograd = !reads_input && winograd_fits(shape);
  const KernelOverride* const found = find_kernel(options.kernels, shape);
  if (found == nullptr)
    return kernel_by_rule(shape, can_winograd && wants_winograd(options.convolution),
                          options.max_samples);
  const KernelChoice choice = found->choice;
  if (choice.winograd && !can_winograd)
    fail_input("{}: algorithm: found winograd, allowed for this convolution is direct",
               found->where);
  if (choice.images_per_slice < 1 || choice.images_per_slice > options.max_samples)
    fail_input("{}: images_per_slice: found {}, allowed is 1 .. {}, the micro-batch", found->where,
               choice.images_per_slice, options.max_samples);
  return choice;
}

}  // namespace localbatch
