#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "core/aligned_buffer.h"
#include "core/channel_block.h"
#include "nn/decoder.h"
#include "nn/onednn_products.h"

namespace localbatch {

/// A linear layer over rows of tokens, y = W x + bias for each. T is the type of its inputs and of
/// the diffs of its outputs: float or Bfloat16. All results are f32.
template <class T>
class TokenLinear {
 public:
  TokenLinear(MatrixProducts& products, const LinearPlace& place);

  const LinearPlace& place() const { return place_; }

  /// Bytes of the copies of weights that load() refreshes.
  std::size_t copy_bytes() const;
  void load(std::span<const float> parameters);

  /// x is [rows][inputs], y is [rows][outputs].
  void forward(Thread& thread, int rows, const T* x, float* y) const;
  /// diff_y is [rows][outputs], diff_x is [rows][inputs].
  void backward(Thread& thread, int rows, const T* diff_y, float* diff_x) const;

 private:
  MatrixProducts& products_;
  LinearPlace place_;
  Reorder pack_forward_;
  std::optional<Reorder> pack_backward_;  ///< none: the backward pass takes W as it lies
  AlignedBuffer<std::byte> forward_, backward_;
  const void* backward_weights_ = nullptr;
  const float* bias_ = nullptr;
};

extern template class TokenLinear<float>;
extern template class TokenLinear<Bfloat16>;

}  // namespace localbatch
