#pragma once

#include <map>
#include <optional>
#include <span>

#include "core/batch.h"
#include "nn/execution.h"
#include "nn/onednn.h"

namespace localbatch {

/// A linear layer as oneDNN sees it: three primitives per number of images.
struct LinearShape {
  ImageShape src = {};
  ImageShape dst = {};
  bool dense = false;  ///< inner product; otherwise a convolution with the numbers below
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  bool src_is_plain = false;  ///< [C][H][W] instead of channel blocks: the network's input
  bool src_needs_diff = true;
  Precision precision = Precision::kFloat32;  ///< type of activations and their diffs

  std::size_t weight_count() const;
};

/// The rule for how many images one call of a oneDNN primitive handles: as many as stay in the
/// second-level cache with their input and output, and more where the weights are so large that
/// reading and writing them would cost more than the images do. A function of the shape alone (and
/// of the largest micro-batch), because results depend on it.
int images_per_slice(const LinearShape& shape, int max_images);

/// y = W x for slices of images, and its two transposes. Weights live in f32 in the layout in which
/// the weight-gradient primitive delivers its result, so that gradient, momentum and parameters
/// share it; the passes that want another layout or bf16 get a copy, refreshed by `load`.
/// Activations are arrays of float or Bfloat16, as the shape says.
class LinearOperator {
 public:
  LinearOperator(const LinearShape& shape, int images_per_slice, int threads);

  const LinearShape& shape() const { return shape_; }
  int images_per_slice() const { return images_per_slice_; }
  int threads() const { return threads_; }

  /// Convert weights between the flat arrays' order and [out][in][row][column].
  void to_canonical(std::span<const float> weights, std::span<float> canonical) const;
  void from_canonical(std::span<const float> canonical, std::span<float> weights) const;

  /// Bytes of the copies that `load` refreshes, and of the scratchpad that a thread needs.
  std::size_t copy_bytes() const;
  std::size_t scratchpad_bytes() const;
  void load(const float* weights);

  /// Copies weights that are in the order of `other`, which has the same dimensions and perhaps
  /// another precision; for forward() alone.
  void load_forward(const LinearOperator& other, const float* weights);

  /// Whether the weights of a range of output channels lie together, so that their gradient can be
  /// computed alone. Dense layers are left out.
  bool can_cut_filters() const;

  /// Creates the primitives for slices of so many images. Not thread-safe; the passes below are.
  void prepare(int images);

  void forward(Thread& thread, int images, const void* src, void* dst);
  void backward_data(Thread& thread, int images, const void* diff_dst, void* diff_src);
  void backward_weights(Thread& thread, int images, const void* src, const void* diff_dst,
                        float* diff_weights);

  /// The gradient by the weights of `filters` output channels: `diff_dst` holds these alone, and
  /// `diff_weights` gets their part of the layout.
  void prepare_cut(int filters, int images);
  void backward_cut_weights(Thread& thread, int images, const void* src, const void* diff_dst,
                            float* diff_weights);

 private:
  struct Primitives {
    ThreadedPrimitive forward, backward_data, backward_weights;
  };
  struct Layouts {
    dnnl::memory::desc master, forward, backward_data;
  };
  /// The weights in the layout of one pass.
  struct WeightCopy {
    std::optional<Reorder> reorder;  ///< none: the master's layout will do
    AlignedBuffer<std::byte> storage;
    const void* weights = nullptr;
  };

  template <class Family>
  Primitives create(int images);
  ThreadedPrimitive create_cut(int filters, int images) const;
  WeightCopy make_copy(const dnnl::memory::desc& layout) const;
  static void refresh(WeightCopy& copy, const float* weights);

  LinearShape shape_;
  int images_per_slice_, threads_;
  dnnl::memory::desc canonical_;
  std::optional<Layouts> layouts_;  ///< chosen by the first set of primitives, kept by all others
  WeightCopy forward_weights_, backward_weights_;
  std::map<int, Primitives> primitives_;          ///< keyed by number of images
  std::map<int, ThreadedPrimitive> cut_weights_;  ///< likewise
};

/// The layout in which our own convolutions keep their weights, [K/block][C/block][rows][columns]
/// [block of C][block of K], from and to the order of files, [K][C][rows][columns]. `window` is
/// rows * columns; C and K are multiples of kChannelBlock.
void to_canonical_weights(std::span<const float> blocked, int channels, int filters, int window,
                          std::span<float> canonical);
void from_canonical_weights(std::span<const float> canonical, int channels, int filters, int window,
                            std::span<float> blocked);

}  // namespace localbatch
