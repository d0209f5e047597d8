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

/// FLOP per second of the three passes, counted as direct convolutions. Nothing where a pass does
/// not exist or the network does not measure its phases.
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

/// A way to compute a convolution, and how long a step of a small network with it takes.
struct KernelCandidate {
  KernelChoice choice;
  double median_seconds = 0;
};

/// What was tried for a convolution, the rule's own choice first.
struct TunedConvolution {
  ConvolutionShape shape;
  std::vector<KernelCandidate> candidates;
  std::size_t chosen = 0;

  const KernelCandidate& rule() const { return candidates.front(); }
  const KernelCandidate& choice() const { return candidates[chosen]; }
};

/// Winograd and direct where both exist and `execution` allows both, each with as many images per
/// slice as the rule says, half and twice as many.
std::vector<KernelChoice> candidate_kernels(const ModelConvolution& convolution,
                                            const ExecutionOptions& execution);

/// The index of the fastest, if it takes at most 97 % of the first one's time; otherwise 0: noise
/// should not change the bits of results for nothing.
std::size_t fastest_worth_it(const std::vector<KernelCandidate>& candidates);

/// Runs the candidates in turn, a step each, for about `seconds` per candidate.
TunedConvolution tune_convolution(const ModelConvolution& convolution,
                                  const ExecutionOptions& execution, double seconds);

}  // namespace localbatch
