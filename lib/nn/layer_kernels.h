#pragma once

#include <string>
#include <vector>

#include "nn/execution.h"
#include "nn/model.h"

namespace localbatch {

/// A convolution of a model, and how it is computed.
struct LayerKernel {
  std::string layer;  ///< "layer1.0.conv1"
  ConvolutionShape shape;
  KernelChoice choice;
};

/// The recorded choice, or that of the rule. Our own convolution cannot read the network's input.
/// Throws an InputError when a recorded choice is impossible.
KernelChoice choose_kernel(const ConvolutionShape& shape, bool reads_input,
                           const ExecutionOptions& options);

/// Of all convolutions, in the order of the forward pass.
std::vector<LayerKernel> layer_kernels(const Model& model, const ExecutionOptions& options);

}  // namespace localbatch
