#pragma once

#include <optional>

#include "nn/layer.h"
#include "nn/model.h"
#include "nn/sample_sums.h"
#include "nn/winograd_operator.h"

namespace localbatch {

/// Norms and inner products of single images' gradients in a Winograd layer, from the points that
/// its backward pass has computed. The points of a slice begin at `first_tile`, those of a stretch
/// with the first one.
class WinogradSamples {
 public:
  using Points = winograd::Points;

  /// The operator must outlive this.
  WinogradSamples(const WinogradOperator& winograd_operator, const TensorView& weight);

  /// Whether add_slice() makes the gradient of each image; otherwise the ordinary pass has to make
  /// that of all of them.
  bool makes_gradients() const { return !pixel_norm_; }

  /// Bytes of thread memory that the functions below take for a slice of so many images.
  std::size_t scratch(int images) const;

  /// Adds norms; inner products too if this makes gradients, which are added to `gradient` unless
  /// that is null. `src` and `diff_dst` are those of the slice, `input` and `diff` their points.
  template <class T>
  void add_slice(const SampleSums& sums, Images images, const T* src, const T* diff_dst,
                 const Points& input, const Points& diff, int first_tile, float* gradient,
                 Thread& thread) const;

  /// Adds inner products where no gradients are made, for a slice whose points are the first ones.
  template <class T>
  void add_inner_products(const SampleSums& sums, Images images, const T* diff_dst,
                          const Points& input, Thread& thread) const;

  /// Adds inner products for a stretch of images; the work is cut by output channels.
  template <class T>
  void add_inner_products(Team& team, const SampleSums& sums, Images stretch, int per_slice,
                          const Destination<T>& dst, const Points& input) const;

 private:
  bool makes_products(const SampleSums& sums) const {
    return !makes_gradients() && wants_inner_products(sums);
  }
  int output_blocks() const { return operator_.output_blocks(winograd::Direction::kForward); }
  void add_gradients(const SampleSums& sums, Images images, const Points& input, const Points& diff,
                     int first_tile, float* gradient, Thread& thread) const;

  /// The direction's weights for one block of output channels, transformed, in the thread's
  /// innermost frame.
  const float* take_direction(const SampleSums& sums, int block, Thread& thread) const;

  /// Adds the inner products of the diff and the convolution by the direction, for a block of
  /// output channels; `diff` begins with them, and images lie `diff_step` apart.
  template <class T>
  void add_products(const float* direction, int block, const Points& input, int first_tile,
                    const T* diff, std::size_t diff_step, std::span<double> products,
                    Thread& thread) const;
  /// Does so for a stretch of images.
  template <class T>
  void add_products_of_block(const SampleSums& sums, int block, Images stretch, int per_slice,
                             const Destination<T>& dst, const Points& input,
                             std::span<double> products, Thread& thread) const;
  Region region(int block, Images images) const;
  std::size_t pixels() const {
    return static_cast<std::size_t>(operator_.dst_image().height) *
           static_cast<std::size_t>(operator_.dst_image().width);
  }

  const WinogradOperator& operator_;
  TensorView weight_;
  std::optional<PixelNorm> pixel_norm_;
};

}  // namespace localbatch
