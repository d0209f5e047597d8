#include "nn/onednn_products.h"

#include <mutex>

#include "nn/row_cut.h"

namespace localbatch {

namespace {

using dnnl::memory;

memory::desc strided(int rows, int columns, memory::data_type type, int row, int column) {
  return {{rows, columns}, type, memory::dims{row, column}};
}

dnnl::primitive_attr attributes(bool adds) {
  dnnl::primitive_attr attributes = user_scratchpad();
  if (!adds) return attributes;
  dnnl::post_ops sum;
  sum.append_sum(1.0F);
  attributes.set_post_ops(sum);
  return attributes;
}

dnnl::matmul::primitive_desc product_desc(const memory::desc& a, const memory::desc& b,
                                          const memory::desc& c, bool adds) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), a, b, c, attributes(adds)};
#else
  return {dnnl::matmul::desc(a, b, c), attributes(adds), cpu_engine()};
#endif
}

}  // namespace

memory::data_type MatrixProducts::factor_type() const {
  return precision_ == Precision::kBfloat16 ? memory::data_type::bf16 : memory::data_type::f32;
}

/// What oneDNN chooses for blocks of rows of the usual size; all other numbers of rows use it too.
memory::desc MatrixProducts::packed_layout(int inner, int columns) {
  const memory::desc any({inner, columns}, factor_type(), memory::format_tag::any);
  return product_desc(strided(RowCut::kRows, inner, factor_type(), inner, 1), any,
                      strided(RowCut::kRows, columns, memory::data_type::f32, columns, 1),
                      /*adds=*/false)
      .weights_desc();
}

std::unique_ptr<ThreadedPrimitive> MatrixProducts::create(const ProductShape& shape) {
  const memory::desc a =
      strided(shape.rows, shape.inner, factor_type(), shape.a_row, shape.a_column);
  const memory::desc b = shape.b_is_packed ? packed_layout(shape.inner, shape.columns)
                                           : strided(shape.inner, shape.columns, factor_type(),
                                                     shape.b_row, shape.b_column);
  const memory::desc c = strided(shape.rows, shape.columns, memory::data_type::f32, shape.c_row, 1);
  const auto desc = product_desc(a, b, c, shape.adds);
  return std::make_unique<ThreadedPrimitive>(
      dnnl::matmul(desc), desc.scratchpad_desc(),
      std::vector<ThreadedPrimitive::Argument>{
          {DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}},
      threads_);
}

ThreadedPrimitive& MatrixProducts::primitive(const ProductShape& shape) {
  {
    const std::shared_lock lock(mutex_);
    const auto found = primitives_.find(shape);
    if (found != primitives_.end()) return *found->second;
  }
  const std::unique_lock lock(mutex_);
  std::unique_ptr<ThreadedPrimitive>& made = primitives_[shape];
  if (made == nullptr) {
    const SingleThreadScope single_thread;
    made = create(shape);
  }
  return *made;
}

void MatrixProducts::multiply(Thread& thread, const ProductShape& shape, const void* a,
                              const void* b, float* c) {
  primitive(shape).run(thread, {a, b, c});
}

Reorder MatrixProducts::packing(int inner, int columns, int row, int column) {
  return {strided(inner, columns, memory::data_type::f32, row, column),
          packed_layout(inner, columns)};
}

}  // namespace localbatch
