#include "nn/kernel_choices.h"

#include <algorithm>

#include "nn/layers.h"
#include "nn/vector.h"

namespace localbatch {

const RecordedKernel* find_kernel(const KernelChoices& choices, const ConvolutionShape& shape) {
  const auto found = std::ranges::find(choices, shape, &RecordedKernel::shape);
  return found == choices.end() ? nullptr : &*found;
}

bool winograd_fits(const ConvolutionShape& shape) {
  return shape.kernel == 3 && shape.stride == 1 && shape.padding == 1 &&
         shape.src.channels % kChannelBlock == 0 && shape.channels % kChannelBlock == 0;
}

KernelChoice kernel_by_rule(const ConvolutionShape& shape, bool winograd, int max_images) {
  if (winograd) return {true, winograd_images_per_slice(shape.src, max_images)};
  const LinearShape linear{.src = shape.src, .dst = shape.dst(), .kernel = shape.kernel};
  return {false, images_per_slice(linear, max_images)};
}

}  // namespace localbatch
