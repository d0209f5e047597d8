#pragma once

#include <cstddef>
#include <span>

#include "nn/network.h"
#include "nn/team.h"

namespace localbatch {

/// A stretch of a micro-batch.
struct Images {
  int first = 0;
  int count = 0;
};

/// Some channels of some images. Layers that cut their work by channels speak about all images at
/// once, those that cut it by images about all channels.
struct Region {
  Images images;
  int first_channel = 0;
  int channels = 0;
};

/// Where batch norm takes means and variances from. Running ones are constants to the backward
/// pass.
enum class BatchNormMoments { kRunning, kMicroBatch };

/// What a layer sees of a pass over a micro-batch. The flat arrays are those of the worker at hand.
struct ForwardPass {
  int images = 0;
  BatchNormMoments batch_norm = BatchNormMoments::kRunning;
  /// By how much batch norm's running moments move towards those of the micro-batch: 0 .. 1.
  double running_momentum = 0;
  std::span<const float> parameters;
  std::span<float> running_moments;
};

/// What the backward pass of a micro-batch is to compute. Every layer with parameters adds its part
/// to the sums of each sample; inside a layer, one thread at a time works on a sample.
struct BackwardPass {
  int images = 0;
  std::span<const float> parameters;
  std::span<float> gradient;
  GradientUse use = GradientUse::kAdd;
  BatchNormMoments batch_norm = BatchNormMoments::kMicroBatch;  ///< as in the forward pass
  const SampleSums* samples = nullptr;                          ///< null: not wanted

  bool adds() const { return use == GradientUse::kAdd; }
};

/// Memory that a layer works with, beside the values.
struct MemoryNeeds {
  std::size_t thread_bytes = 0;      ///< frames of every thread
  std::size_t scratchpad_bytes = 0;  ///< of oneDNN, for every thread
  std::size_t shared_floats = 0;     ///< scratch of the team
  std::size_t own_bytes = 0;         ///< what it keeps: weights in other layouts, sums
};

/// One stage of the network. Its values are bound when it is made (values.h).
///
/// `forward` and `backward` run a layer over the whole micro-batch; inside, it works slice by slice
/// of images so that a slice stays in the cache. The other functions are what a layer does for its
/// neighbours while their slice is there; normalizations alone need them.
class Layer {
 public:
  virtual ~Layer() = default;

  virtual MemoryNeeds needs() const { return {}; }

  /// Called when parameters have changed, before the next pass; on any thread of the team, beside
  /// other layers.
  virtual void load(std::span<const float> /*parameters*/, Thread& /*thread*/) {}

  virtual void forward(Team& team, const ForwardPass& pass) = 0;

  /// Adds to the gradient and contributes to the diffs of the sources.
  virtual void backward(Team& team, const BackwardPass& pass) = 0;

  /// Computes these images of the layer's output, which is not stored.
  virtual void compute(Images images, std::byte* dst, Thread& thread);

  /// A region of the source has just been written.
  virtual void observe(const Region& region, const ForwardPass& pass, Thread& thread);

  /// The diff of the layer's output is complete in this region.
  virtual void observe_diff(const Region& region, Thread& thread);

  /// Computes the diff of the source, which is not stored, as an array of this region alone.
  virtual void compute_diff(const Region& region, std::byte* diff_src, Thread& thread);
};

}  // namespace localbatch
