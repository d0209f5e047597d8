#pragma once

#include <array>
#include <cstddef>

#include "core/aligned_buffer.h"
#include "core/channel_block.h"
#include "nn/row_cut.h"
#include "nn/token_norm.h"

namespace localbatch {

/// Elements of so many rows.
inline std::size_t elements(int rows, int width) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(width);
}

/// An array of rows of tokens, [row][width].
template <class Element>
class TokenArray {
 public:
  TokenArray() = default;
  explicit TokenArray(int width) : width_(static_cast<std::size_t>(width)) {}

  std::size_t bytes(int rows) const {
    return allocated_bytes(static_cast<std::size_t>(rows) * width_ * sizeof(Element));
  }
  void allocate(int rows) {
    memory_ = AlignedBuffer<std::byte>(static_cast<std::size_t>(rows) * width_ * sizeof(Element));
  }
  bool is_allocated() const { return memory_.size() > 0; }
  Element* row(int index) {
    return reinterpret_cast<Element*>(memory_.data()) + static_cast<std::size_t>(index) * width_;
  }

 private:
  std::size_t width_ = 0;
  AlignedBuffer<std::byte> memory_;
};

/// Copies f32 into the type of factors of products.
void to_factors(std::size_t size, const float* from, float* to);
void to_factors(std::size_t size, const float* from, Bfloat16* to);

/// Diffs of scale and shift of a normalization, [segment][width] each.
using NormParts = std::array<TokenArray<float>, 2>;

/// normalize_rows_backward() for a block of rows, with sums of their own for each of its segments.
void normalize_segments_backward(const TokenNorm& norm, const RowBlock& rows, const float* src,
                                 const float* diff_normalized, float* diff, NormParts& parts);

}  // namespace localbatch
