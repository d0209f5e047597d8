#include "nn/linear_samples.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/vector.h"
#include "core/vector_math.h"
#include "nn/elementwise.h"

namespace localbatch {

namespace {

/// The network's input is not in channel blocks, which products of pixels want.
std::optional<PixelNorm> pixel_norm_of(const LinearShape& shape) {
  if (shape.dense || shape.src_is_plain) return std::nullopt;
  const double pixels = static_cast<double>(shape.dst.height) * shape.dst.width;
  return make_pixel_norm({.src = shape.src,
                          .channels = shape.dst.channels,
                          .kernel = shape.kernel,
                          .stride = shape.stride,
                          .padding = shape.padding},
                         pixels * static_cast<double>(shape.weight_count()));
}

}  // namespace

template <class T>
LinearSamples<T>::LinearSamples(std::shared_ptr<LinearOperator> linear_operator,
                                const TensorView& weight)
    : operator_(std::move(linear_operator)),
      weight_(weight),
      pixel_norm_(pixel_norm_of(operator_->shape())) {}

template <class T>
std::size_t LinearSamples<T>::scratch() const {
  if (makes_gradients()) return scratch_bytes<float>(weight_.size);
  const auto values = [this](const ImageShape& shape) {
    return scratch_bytes<float>(static_cast<std::size_t>(operator_->images_per_slice()) *
                                shape.size());
  };
  const LinearShape& shape = operator_->shape();
  const std::size_t products =
      values(shape.dst) + (std::is_same_v<T, float> ? 0 : values(shape.src));
  return std::max(products, pixel_norm_ ? pixel_norm_->scratch() : 0);
}

template <class T>
void LinearSamples<T>::prepare(const SampleSums& sums, int images) {
  if (makes_gradients()) {
    operator_->prepare(1);
  } else if (wants_inner_products(sums)) {
    const int per_slice = operator_->images_per_slice();
    if (direction_ == nullptr) {
      LinearShape shape = operator_->shape();
      shape.precision = Precision::kFloat32;
      shape.src_needs_diff = false;
      direction_ = std::make_unique<LinearOperator>(shape, per_slice, operator_->threads());
    }
    direction_->prepare(std::min(images, per_slice));
    if (images % per_slice != 0) direction_->prepare(images % per_slice);
    direction_->load_forward(*operator_, sums.direction.data() + weight_.offset);
  }
}

template <class T>
void LinearSamples<T>::add_slice(const SampleSums& sums, Images images, const T* src,
                                 const T* diff_dst, float* gradient, Thread& thread) {
  if (makes_gradients()) {
    add_gradients(sums, images, src, diff_dst, gradient, thread);
    return;
  }
  if (wants_squared_norms(sums))
    for (int i = 0; i < images.count; ++i)
      add_to_squared_norm(sums, images.first + i,
                          squared_norm(src_of(src, i), diff_of(diff_dst, i), thread));
  if (wants_inner_products(sums)) add_inner_products(sums, images, src, diff_dst, thread);
}

template <class T>
void LinearSamples<T>::add_gradients(const SampleSums& sums, Images images, const T* src,
                                     const T* diff_dst, float* gradient, Thread& thread) {
  const Thread::Frame frame(thread);
  float* const mine = thread.take<float>(weight_.size);
  for (int i = 0; i < images.count; ++i) {
    operator_->backward_weights(thread, 1, src_of(src, i), diff_of(diff_dst, i), mine);
    add_to_sums(sums, images.first + i, weight_.offset, {mine, weight_.size});
    if (gradient != nullptr) add(mine, weight_.size, gradient);
  }
}

template <class T>
double LinearSamples<T>::squared_norm(const T* src, const T* diff_dst, Thread& thread) const {
  if constexpr (std::is_same_v<T, float>)
    if (operator_->shape().dense)
      return localbatch::squared_norm({src, operator_->shape().src.size()}) *
             localbatch::squared_norm({diff_dst, operator_->shape().dst.size()});
  return pixel_norm_->squared_norm(src, diff_dst, thread);
}

template <class T>
void LinearSamples<T>::add_inner_products(const SampleSums& sums, Images images, const T* src,
                                          const T* diff_dst, Thread& thread) {
  const Thread::Frame frame(thread);
  const LinearShape& shape = operator_->shape();
  const auto count = static_cast<std::size_t>(images.count);
  const void* input = src;
  if constexpr (!std::is_same_v<T, float>) {
    const std::size_t values = count * shape.src.size();
    float* const converted = thread.take<float>(values);
    for (std::size_t i = 0; i < values; i += kChannelBlock) store(converted + i, load(src + i));
    input = converted;
  }
  float* const output = thread.take<float>(count * shape.dst.size());
  direction_->forward(thread, images.count, input, output);
  for (int i = 0; i < images.count; ++i)
    add_to_inner_product(
        sums, images.first + i,
        sum_of_products(diff_of(diff_dst, i),
                        output + static_cast<std::size_t>(i) * shape.dst.size(), shape.dst.size()));
}

template class LinearSamples<float>;
template class LinearSamples<Bfloat16>;

}  // namespace localbatch
