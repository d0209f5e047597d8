#pragma once

#include <memory>
#include <optional>

#include "nn/linear_operator.h"
#include "nn/model.h"
#include "nn/sample_sums.h"

namespace localbatch {

/// Norms and inner products of single images' gradients in a linear layer by oneDNN. T is the type
/// of the activations. Dense layers see one pixel: |dW|^2 = |x|^2 |dy|^2.
template <class T>
class LinearSamples {
 public:
  LinearSamples(std::shared_ptr<LinearOperator> linear_operator, const TensorView& weight);

  /// Whether add_slice() makes the gradient of each image; otherwise the ordinary pass has to make
  /// that of all of them.
  bool makes_gradients() const { return !operator_->shape().dense && !pixel_norm_; }

  /// Bytes of thread memory that add_slice() takes.
  std::size_t scratch() const;

  /// To be called before a pass over so many images. What only inner products need is made when
  /// they are first wanted.
  void prepare(const SampleSums& sums, int images);

  /// `src` and `diff_dst` are those of the slice. If `gradient` is not null and this makes
  /// gradients, they are added to it.
  void add_slice(const SampleSums& sums, Images images, const T* src, const T* diff_dst,
                 float* gradient, Thread& thread);

 private:
  const T* src_of(const T* src, int image) const {
    return src + static_cast<std::size_t>(image) * operator_->shape().src.size();
  }
  const T* diff_of(const T* diff_dst, int image) const {
    return diff_dst + static_cast<std::size_t>(image) * operator_->shape().dst.size();
  }
  void add_gradients(const SampleSums& sums, Images images, const T* src, const T* diff_dst,
                     float* gradient, Thread& thread);
  void add_inner_products(const SampleSums& sums, Images images, const T* src, const T* diff_dst,
                          Thread& thread);
  double squared_norm(const T* src, const T* diff_dst, Thread& thread) const;

  std::shared_ptr<LinearOperator> operator_;
  TensorView weight_;
  std::optional<PixelNorm> pixel_norm_;
  /// A forward convolution whose weights are the direction. Always f32, because inner products may
  /// be small differences.
  std::unique_ptr<LinearOperator> direction_;
};

}  // namespace localbatch
