#include "core/matrix_product.h"

#include <algorithm>

#include "core/vector.h"

namespace localbatch {

namespace {

using Index = std::ptrdiff_t;

constexpr Index kBlock = kChannelBlock;

/// Vectors of a row of the product that are summed together.
constexpr int kMaxVectors = 4;

/// Rows that are summed together: most registers hold sums, so that a sum is not waited for, and a
/// number that is loaded takes part in several products.
template <int kVectors>
constexpr int kMaxRows = std::min((kChannelBlock == 16 ? 24 : 12) / kVectors, 12);

/// Inlined, as a call would wait for its arguments on the stack.
template <int kRows, int kVectors>
__attribute__((always_inline)) inline void multiply_block(LeftFactor left, const float* right,
                                                          Index right_step, Index depth, bool add,
                                                          float* product, Index product_step) {
  Vector sum[kRows][kVectors] = {};
  for (Index k = 0; k < depth; ++k, left.data += left.column_step, right += right_step) {
    Vector vectors[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) vectors[v] = load(right + v * kBlock);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      const Vector factor = broadcast(left.data[row * left.row_step]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) sum[row][v] += factor * vectors[v];
    }
  }
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row, product += product_step) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      float* const to = product + v * kBlock;
      store(to, add ? load(to) + sum[row][v] : sum[row][v]);
    }
  }
}

/// All rows of a stretch of columns: kRows at a time, and the rest by halves of that.
template <int kRows, int kVectors>
void multiply_rows(LeftFactor left, const float* right, Index right_step, Index rows, Index depth,
                   bool add, float* product, Index product_step) {
  for (; rows >= kRows; rows -= kRows) {
    multiply_block<kRows, kVectors>(left, right, right_step, depth, add, product, product_step);
    left.data += kRows * left.row_step;
    product += kRows * product_step;
  }
  if constexpr (kRows > 1) {
    constexpr int kFewer = kRows > 8 ? 8 : kRows > 4 ? 4 : kRows / 2;
    multiply_rows<kFewer, kVectors>(left, right, right_step, rows, depth, add, product,
                                    product_step);
  }
}

template <int kVectors>
void multiply_columns(const LeftFactor& left, const float* right, Index right_step,
                      const ProductExtent& extent, bool add, float* product, Index product_step) {
  multiply_rows<kMaxRows<kVectors>, kVectors>(left, right, right_step, extent.rows, extent.depth,
                                              add, product, product_step);
}

}  // namespace

void multiply(const LeftFactor& left, const float* right, Index right_step,
              const ProductExtent& extent, bool add, float* product, Index product_step) {
  constexpr decltype(&multiply_columns<1>) kByVectors[kMaxVectors] = {
      multiply_columns<1>, multiply_columns<2>, multiply_columns<3>, multiply_columns<4>};
  for (Index column = 0; column < extent.columns; column += kMaxVectors * kBlock) {
    const Index vectors = std::min<Index>(kMaxVectors, (extent.columns - column) / kBlock);
    kByVectors[vectors - 1](left, right + column, right_step, extent, add, product + column,
                            product_step);
  }
}

}  // namespace localbatch
