#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/networks.h"
#include "nn/execution.h"

namespace localbatch {

/// A convolution as far as its speed depends on it.
struct ConvolutionShape {
  ImageShape src;
  int channels = 0;  ///< of the output
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  bool reads_images = false;  ///< the first layer: nobody wants the gradient by its input

  friend bool operator==(const ConvolutionShape&, const ConvolutionShape&) = default;
};

/// How often a network has convolutions of one shape.
struct ConvolutionCount {
  ConvolutionShape shape;
  int layers = 0;
};

/// The distinct shapes in the order of the forward pass.
std::vector<ConvolutionCount> distinct_convolutions(const Model& model);

/// FLOP per second of the three passes, counted as direct convolutions. Nothing where a pass does
/// not exist or the network does not measure its phases.
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
