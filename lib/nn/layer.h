#pragma once

#include <cstddef>
#include <span>

#include "core/aligned_buffer.h"
#include "core/image_shape.h"
#include "nn/team.h"

namespace localbatch {

/// Channels that lie together in memory, one vector register of them: the blocked layouts that
/// oneDNN's convolutions prefer (nChw16c with AVX-512, nChw8c without).
#ifdef __AVX512F__
constexpr int kChannelBlock = 16;
#else
constexpr int kChannelBlock = 8;
#endif

/// One value of the network for a whole micro-batch, with the gradient of the loss by it. Images
/// follow each other; inside an image the order is [C/block][H][W][block], or plain [C][H][W] for
/// the input of the network and for feature vectors.
struct Activation {
  ImageShape shape;
  AlignedBuffer<float> storage;  ///< empty for the network's input, which belongs to the caller
  const float* values = nullptr;
  float* diff = nullptr;  ///< null when no gradient is needed

  const float* image(int i) const { return values + static_cast<std::size_t>(i) * shape.size(); }
  float* mutable_image(int i) {
    return storage.data() + static_cast<std::size_t>(i) * shape.size();
  }
  float* diff_image(int i) const { return diff + static_cast<std::size_t>(i) * shape.size(); }
};

/// What a layer sees of a pass over a micro-batch. The flat arrays are those of the worker at hand.
struct ForwardPass {
  int images = 0;
  bool training =
      false;  ///< batch norm uses the micro-batch's statistics and updates the running ones
  std::span<const float> parameters;
  std::span<float> statistics;  ///< running means and variances
};

struct BackwardPass {
  int images = 0;
  std::span<const float> parameters;
  std::span<float> gradient;  ///< added to
};

/// One stage of the network. Its activations are bound when it is made.
class Layer {
 public:
  virtual ~Layer() = default;

  /// Called when parameters have changed, before the next pass.
  virtual void load(std::span<const float> /*parameters*/) {}

  virtual void forward(const ForwardPass& pass) = 0;

  /// Reads the diff of its destination, adds to the gradient and writes the diffs of its sources,
  /// or adds to those that a layer further up has written already.
  virtual void backward(const BackwardPass& pass) = 0;
};

}  // namespace localbatch
