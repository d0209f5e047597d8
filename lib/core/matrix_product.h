#pragma once

#include <cstddef>

namespace localbatch {

/// A factor whose elements are read one by one: element (row, column) is
/// data[row * row_step + column * column_step]. So a matrix serves as its own transpose too.
struct LeftFactor {
  const float* data;
  std::ptrdiff_t row_step, column_step;
};

/// The extent of a product [rows][depth] x [depth][columns]. `columns` is a multiple of
/// kChannelBlock: rows of the right factor and of the product are padded.
struct ProductExtent {
  std::ptrdiff_t rows, depth, columns;
};

/// product = left * right, or product += left * right. For matrices that lie in the cache: nothing
/// is copied. Rows of `right` and `product` begin `right_step` and `product_step` floats apart.
///
/// Every element is a sum over the depth in ascending order, which is then added to what was there,
/// so it does not depend on the other elements.
void multiply(const LeftFactor& left, const float* right, std::ptrdiff_t right_step,
              const ProductExtent& extent, bool add, float* product, std::ptrdiff_t product_step);

}  // namespace localbatch
