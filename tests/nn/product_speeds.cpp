// How fast oneDNN multiplies rows of tokens by weights in the three ways that it has, on one
// thread: what decided the layout of decoders (lib/nn/README.md). Prints GFLOP/s of y = W x, of its
// backward pass by x and of that by W.
//
//   cmake --build build/release --target localbatch_product_speeds &&
//   build/release/tests/localbatch_product_speeds
#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "core/stopwatch.h"
#include "nn/onednn.h"

using namespace localbatch;
using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

namespace {

struct Product {
  int inputs, outputs, tokens;
};

/// The best of many calls.
double gigaflops(const Product& product, const std::function<void()>& call) {
  call();
  double best = 1e9;
  for (const double begin = monotonic_seconds(); monotonic_seconds() - begin < 0.1;) {
    const double before = monotonic_seconds();
    for (int i = 0; i < 4; ++i) call();
    best = std::min(best, (monotonic_seconds() - before) / 4);
  }
  return 2e-9 * product.inputs * product.outputs * product.tokens / best;
}

/// Every argument gets zeros, which take as long as other numbers.
template <class Primitive, class Desc>
double speed(const Product& product, const Desc& desc,
             const std::vector<std::pair<int, memory::desc>>& arguments) {
  std::unordered_map<int, memory> memories;
  std::vector<AlignedBuffer<std::byte>> arrays;
  const auto add = [&](int index, const memory::desc& layout) {
    arrays.emplace_back(std::max<std::size_t>(64, layout.get_size()));
    memories.emplace(index, memory(layout, cpu_engine(), arrays.back().data()));
  };
  for (const auto& [index, layout] : arguments) add(index, layout);
  add(DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc());
  const Primitive primitive(desc);
  dnnl::stream stream(cpu_engine());
  return gigaflops(product, [&] { primitive.execute(stream, memories); });
}

using Speeds = std::vector<double>;

/// A sequence as an image of one row: a pixel is a token, its channels are in blocks.
Speeds convolutions(const Product& p, Type type) {
  const memory::desc src({1, p.inputs, 1, p.tokens}, type, Tag::nChw16c);
  const memory::desc dst({1, p.outputs, 1, p.tokens}, type, Tag::nChw16c);
  const memory::desc weights({p.outputs, p.inputs, 1, 1}, type, Tag::any);
  const memory::desc gradient({p.outputs, p.inputs, 1, 1}, Type::f32, Tag::any);
  const memory::dims one{1, 1}, none{0, 0};
  const auto direct = dnnl::algorithm::convolution_direct;
  const auto forward = forward_desc<dnnl::convolution_forward>(
      dnnl::prop_kind::forward_training, direct, src, weights, dst, one, none, none);
  const auto data = backward_desc<dnnl::convolution_backward_data>(forward, direct, src, weights,
                                                                   dst, one, none, none);
  const auto by_weights = backward_desc<dnnl::convolution_backward_weights>(
      forward, direct, src, gradient, dst, one, none, none);
  return {
      speed<dnnl::convolution_forward>(
          p, forward,
          {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, forward.weights_desc()}, {DNNL_ARG_DST, dst}}),
      speed<dnnl::convolution_backward_data>(p, data,
                                             {{DNNL_ARG_DIFF_SRC, src},
                                              {DNNL_ARG_WEIGHTS, data.weights_desc()},
                                              {DNNL_ARG_DIFF_DST, dst}}),
      speed<dnnl::convolution_backward_weights>(
          p, by_weights,
          {{DNNL_ARG_SRC, src},
           {DNNL_ARG_DIFF_WEIGHTS, by_weights.diff_weights_desc()},
           {DNNL_ARG_DIFF_DST, dst}})};
}

Speeds inner_products(const Product& p, Type type) {
  const memory::desc src({p.tokens, p.inputs}, type, Tag::nc);
  const memory::desc dst({p.tokens, p.outputs}, type, Tag::nc);
  const memory::desc weights({p.outputs, p.inputs}, type, Tag::any);
  const memory::desc gradient({p.outputs, p.inputs}, Type::f32, Tag::any);
  const auto forward = forward_desc<dnnl::inner_product_forward>(dnnl::prop_kind::forward_training,
                                                                 src, weights, dst);
  const auto data = backward_desc<dnnl::inner_product_backward_data>(forward, src, weights, dst);
  const auto by_weights =
      backward_desc<dnnl::inner_product_backward_weights>(forward, src, gradient, dst);
  return {
      speed<dnnl::inner_product_forward>(
          p, forward,
          {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, forward.weights_desc()}, {DNNL_ARG_DST, dst}}),
      speed<dnnl::inner_product_backward_data>(p, data,
                                               {{DNNL_ARG_DIFF_SRC, src},
                                                {DNNL_ARG_WEIGHTS, data.weights_desc()},
                                                {DNNL_ARG_DIFF_DST, dst}}),
      speed<dnnl::inner_product_backward_weights>(
          p, by_weights,
          {{DNNL_ARG_SRC, src},
           {DNNL_ARG_DIFF_WEIGHTS, by_weights.diff_weights_desc()},
           {DNNL_ARG_DIFF_DST, dst}})};
}

double matrix_product(const Product& p, const memory::desc& a, const memory::desc& b,
                      const memory::desc& c) {
  const auto desc = forward_desc<dnnl::matmul>(a, b, c);
  return speed<dnnl::matmul>(
      p, desc, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, desc.weights_desc()}, {DNNL_ARG_DST, c}});
}

Speeds matrix_products(const Product& p, Type type) {
  const auto matrix = [](int rows, int columns, Type element, Tag tag) {
    return memory::desc({rows, columns}, element, tag);
  };
  const memory::desc x = matrix(p.tokens, p.inputs, type, Tag::ab);
  const memory::desc y = matrix(p.tokens, p.outputs, type, Tag::ab);
  return {matrix_product(p, x, matrix(p.inputs, p.outputs, type, Tag::any),
                         matrix(p.tokens, p.outputs, Type::f32, Tag::ab)),
          matrix_product(p, y, matrix(p.outputs, p.inputs, type, Tag::any),
                         matrix(p.tokens, p.inputs, Type::f32, Tag::ab)),
          matrix_product(p, matrix(p.outputs, p.tokens, type, Tag::ba), x,
                         matrix(p.outputs, p.inputs, Type::f32, Tag::ab))};
}

}  // namespace

int main() {
  const SingleThreadScope single_thread;
  fmt::print("oneDNN {}, {}\n", onednn_version(), onednn_instruction_set());
  for (const Type type : {Type::f32, Type::bf16}) {
    if (type == Type::bf16 && !supports_bfloat16()) continue;
    fmt::print("{}: inputs, outputs, tokens; 1x1 convolution; inner product; matmul\n",
               type == Type::f32 ? "f32" : "bf16");
    for (const Product& product :
         {Product{128, 384, 64}, Product{128, 384, 256}, Product{512, 128, 256},
          Product{256, 1408, 256}, Product{704, 256, 256}, Product{384, 1152, 256},
          Product{288, 1536, 256}, Product{1024, 1536, 256}}) {
      fmt::print("{:5} {:5} {:4}", product.inputs, product.outputs, product.tokens);
      for (const auto& way : {convolutions, inner_products, matrix_products}) {
        fmt::print(" |");
        for (const double value : way(product, type)) fmt::print(" {:5.0f}", value);
      }
      fmt::print("\n");
    }
  }
}
