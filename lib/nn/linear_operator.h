#pragma once

#include <map>
#include <optional>
#include <span>

#include "core/image_shape.h"
#include "nn/onednn.h"

namespace localbatch {

/// What both kinds of linear layers are to oneDNN: three primitives per number of images.
struct LinearShape {
  ImageShape src = {};
  ImageShape dst = {};
  bool dense = false;  ///< inner product; otherwise a convolution with the numbers below
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  bool src_is_plain = false;  ///< [C][H][W] instead of channel blocks: the network's input
  bool src_needs_diff = true;
};

/// y = W x for slices of images, and its two transposes. Weights live in the layout in which the
/// weight-gradient primitive delivers its result, so that gradient, momentum and parameters share
/// it; the passes that want another one get a copy, refreshed by `load`.
class LinearOperator {
 public:
  LinearOperator(const LinearShape& shape, int threads);

  const LinearShape& shape() const { return shape_; }
  std::size_t weight_count() const;

  /// Between the flat arrays' order and [out][in][row][column].
  void to_canonical(std::span<const float> weights, std::span<float> canonical) const;
  void from_canonical(std::span<const float> canonical, std::span<float> weights) const;

  /// Refreshes the copies in other layouts and creates the primitives for slices of these numbers
  /// of images. Not thread-safe; the three passes below are, per thread of the team.
  void load(const float* weights);
  void prepare(int images);

  void forward(int thread, int images, const float* src, float* dst);
  void backward_data(int thread, int images, const float* diff_dst, float* diff_src);
  void backward_weights(int thread, int images, const float* src, const float* diff_dst,
                        float* diff_weights);

 private:
  struct Primitives {
    ThreadedPrimitive forward, backward_data, backward_weights;
  };
  struct Layouts {
    dnnl::memory::desc master, forward, backward_data;
  };
  /// A view of the weights in the layout of one pass.
  struct WeightCopy {
    AlignedBuffer<float> storage;
    const float* weights = nullptr;
  };

  template <class Family>
  Primitives create(int images);
  void refresh(WeightCopy& copy, const dnnl::memory::desc& layout, const float* weights);

  LinearShape shape_;
  int threads_;
  dnnl::memory::desc canonical_;
  std::optional<Layouts> layouts_;  ///< chosen by the first set of primitives, kept by all others
  WeightCopy forward_weights_, backward_weights_;
  std::map<int, Primitives> primitives_;
};

}  // namespace localbatch
