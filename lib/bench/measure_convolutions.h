#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/networks.h"
#include "nn/execution.h"

namespace localbatch {

/// A small network around a layer that is measured: images, or a 1x1 convolution that makes the
/// layer's input out of images; the layer, if it is wanted; and what it takes to have a loss.
ImageModel probe_network(const ModelConvolution& convolution, bool with_layer);

/// FLOP per second of the three passes, counted as direct convolutions. Empty where a pass does not
/// exist or the network does not measure its phases.
struct ConvolutionSpeed {
  BenchNetwork network;
  ExecutionOptions execution;
  ModelConvolution convolution;
  std::optional<double> forward, backward_data, backward_weights;
  std::optional<double> foreign_load;
};

/// Times a small network with this layer and one without, for `seconds` each, and takes the
/// difference, so that the layer has the neighbours that it has in training.
ConvolutionSpeed measure_convolution(const BenchNetwork& network,
                                     const ModelConvolution& convolution,
                                     const ExecutionOptions& execution, double seconds);

}  // namespace localbatch
