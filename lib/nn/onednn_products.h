#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <shared_mutex>

#include "nn/execution.h"
#include "nn/onednn.h"

namespace localbatch {

/// C = A B or C += A B, with A of `rows` x `inner`, B of `inner` x `columns` and C in f32. A and B
/// are of the element type of the products.
struct ProductShape {
  int rows = 0, inner = 0, columns = 0;
  // Elements from a row to the next, and from a column to the next.
  int a_row = 0, a_column = 1;
  int b_row = 0, b_column = 1;  ///< without meaning where B is packed
  int c_row = 0;
  bool b_is_packed = false;  ///< by MatrixProducts::pack()
  bool adds = false;         ///< to what C holds

  auto operator<=>(const ProductShape&) const = default;
};

/// Products of matrices by oneDNN, in the types of a network: primitives are made when a shape is
/// first seen, shared by all layers, and run on the calling thread of a team. Factors are f32 or
/// bf16, sums are f32. Thread-safe; a result depends on shape and factors alone.
class MatrixProducts {
 public:
  MatrixProducts(Precision precision, int threads) : precision_(precision), threads_(threads) {}

  void multiply(Thread& thread, const ProductShape& shape, const void* a, const void* b, float* c);

  /// Copies a matrix `inner` x `columns` of parameters, which lies in f32 with these strides, into
  /// the type and layout that products like best.
  Reorder packing(int inner, int columns, int row, int column);

 private:
  dnnl::memory::data_type factor_type() const;
  dnnl::memory::desc packed_layout(int inner, int columns);
  std::unique_ptr<ThreadedPrimitive> create(const ProductShape& shape);
  ThreadedPrimitive& primitive(const ProductShape& shape);

  Precision precision_;
  int threads_;
  std::shared_mutex mutex_;  ///< guards the map, not what is in it
  std::map<ProductShape, std::unique_ptr<ThreadedPrimitive>> primitives_;
};

}  // namespace localbatch
