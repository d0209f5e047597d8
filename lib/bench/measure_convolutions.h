#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/networks.h"
#include "nn/execution.h"

namespace localbatch {

/// How often a network has convolutions of one shape.
struct ConvolutionCount {
  ConvolutionShape shape;
  bool reads_images = false;  ///< the first layer, which needs no gradient by its input
  int layers = 0;
};

/// The distinct shapes in the order of the forward pass.
std::vector<ConvolutionCount> distinct_convolutions(const ImageModel& model);

/// A small network around a layer to measure: images, or a 1x1 convolution that makes the layer's
/// input out of images; the layer, unless it is left out; and the layers that a loss needs.
ImageModel probe_network(const ConvolutionCount& convolution, bool with_layer);

/// FLOP per second of the three passes, counted as direct convolutions. Empty where a pass does not
/// exist or the network does not measure its phases.
struct ConvolutionSpeed {
  BenchNetwork network;
  ExecutionOptions execution;
  ConvolutionCount convolution;
  std::optional<double> forward, backward_data, backward_weights;
  std::optional<double> foreign_load;
};

/// Times a small network with this layer and one without, for `seconds` each, and takes the
/// difference, so that the layer has the surroundings that it has in training.
ConvolutionSpeed measure_convolution(const BenchNetwork& network,
                                     const ConvolutionCount& convolution,
                                     const ExecutionOptions& execution, double seconds);

}  // namespace localbatch
