#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "nn/activations.h"
#include "nn/elementwise.h"
#include "nn/execution.h"
#include "nn/onednn_arrays.h"

using namespace localbatch;

// Kernels that have a primitive of the same meaning, against it (in both versions of oneDNN).

namespace {

using dnnl::memory;

template <class T>
bool bits_equal(const std::vector<T>& found, const std::vector<T>& expected) {
  return std::ranges::equal(
      found, expected, {}, [](T x) { return to_float(x); }, [](T x) { return to_float(x); });
}

}  // namespace

TEST_CASE_TEMPLATE("ReLU, its mask and sums of arrays have oneDNN's bits", T, float, Bfloat16) {
  if (std::is_same_v<T, Bfloat16> && !supports_bfloat16()) {
    MESSAGE("skipped: this CPU does not compute with bf16");
    return;
  }
  const SingleThreadScope single_thread;
  constexpr auto kRelu = dnnl::algorithm::eltwise_relu_use_dst_for_bwd;
  for (const std::size_t count : kCounts) {
    if (count == 0) continue;
    CAPTURE(count);
    const memory::desc desc = array_desc<T>(count);
#if DNNL_VERSION_MAJOR >= 3
    const auto forward = forward_desc<dnnl::eltwise_forward>(dnnl::prop_kind::forward_training,
                                                             kRelu, desc, desc, 0.0F, 0.0F);
    const auto backward =
        backward_desc<dnnl::eltwise_backward>(forward, kRelu, desc, desc, desc, 0.0F, 0.0F);
#else
    const auto forward =
        forward_desc<dnnl::eltwise_forward>(dnnl::prop_kind::forward_training, kRelu, desc, 0.0F);
    const auto backward = backward_desc<dnnl::eltwise_backward>(forward, kRelu, desc, desc, 0.0F);
#endif
    const auto plus = forward_desc<dnnl::binary>(dnnl::algorithm::binary_add, desc, desc, desc);
    const std::vector<T> x = normal_values<T>(count, 1), dy = normal_values<T>(count, 2);
    const memory src = memory_of(desc, x), diff = memory_of(desc, dy);
    const memory dst(desc, cpu_engine()), diff_src(desc, cpu_engine()), sum(desc, cpu_engine());
    execute(dnnl::eltwise_forward(forward), forward, {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}});
    execute(dnnl::eltwise_backward(backward), backward,
            {{DNNL_ARG_DST, dst}, {DNNL_ARG_DIFF_DST, diff}, {DNNL_ARG_DIFF_SRC, diff_src}});
    execute(dnnl::binary(plus), plus,
            {{DNNL_ARG_SRC_0, src}, {DNNL_ARG_SRC_1, diff}, {DNNL_ARG_DST, sum}});

    std::vector<T> y(count), masked(count), added = dy;
    relu(x.data(), count, y.data());
    mask(y.data(), dy.data(), count, masked.data());
    add(x.data(), count, added.data());
    CHECK(bits_equal(y, values_of<T>(dst, count)));
    CHECK(bits_equal(masked, values_of<T>(diff_src, count)));
    CHECK(bits_equal(added, values_of<T>(sum, count)));
  }
}

TEST_CASE("conversion to Bfloat16 has the bits of oneDNN's reorder") {
  const SingleThreadScope single_thread;
  for (const std::size_t count : kCounts) {
    if (count == 0) continue;
    const std::vector<float> from = normal_values<float>(count, 1);
    const memory source = memory_of(array_desc<float>(count), from);
    const memory destination(array_desc<Bfloat16>(count), cpu_engine());
    Reorder(source.get_desc(), destination.get_desc())
        .run(source.get_data_handle(), destination.get_data_handle());
    std::vector<Bfloat16> to(count);
    convert(from.data(), count, to.data());
    CHECK(bits_equal(to, values_of<Bfloat16>(destination, count)));
  }
}
