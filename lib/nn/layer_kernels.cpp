#include "nn/layer_kernels.h"

#include "core/error.h"

namespace localbatch {

KernelChoice choose_kernel(const ConvolutionShape& shape, bool reads_input,
                           const ExecutionOptions& options) {
  const bool can_winograd = !reads_input && winograd_fits(shape);
  const RecordedKernel* const recorded = find_kernel(options.kernels, shape);
  if (recorded == nullptr)
    return kernel_by_rule(shape, can_winograd && wants_winograd(options.convolution),
                          options.max_images);
  const KernelChoice choice = recorded->choice;
  if (choice.winograd && !can_winograd)
    fail_input("{}: algorithm: found winograd, allowed for this convolution is direct",
               recorded->where);
  if (choice.images_per_slice < 1 || choice.images_per_slice > options.max_images)
    fail_input("{}: images_per_slice: found {}, allowed is 1 .. {}, the micro-batch",
               recorded->where, choice.images_per_slice, options.max_images);
  return choice;
}

std::vector<LayerKernel> layer_kernels(const Model& model, const ExecutionOptions& options) {
  std::vector<LayerKernel> kernels;
  for (const ModelConvolution& convolution : convolutions_of(model))
    kernels.push_back(
        {.layer = convolution.layer,
         .shape = convolution.shape,
         .choice = choose_kernel(convolution.shape, convolution.reads_input, options)});
  return kernels;
}

}  // namespace localbatch
