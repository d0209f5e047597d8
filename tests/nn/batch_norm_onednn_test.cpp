#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "nn/activations.h"
#include "nn/elementwise.h"
#include "nn/onednn_arrays.h"

using namespace localbatch;

// Batch norm put together from its kernels, against oneDNN's primitive (in both versions).

namespace {

using dnnl::memory;

constexpr int kNormChannels = 2 * kChannelBlock, kNormImages = 3;
constexpr double kNormEpsilon = 1e-5;

struct PixelShape {
  int height, width;
  std::size_t pixels() const { return static_cast<std::size_t>(height) * width; }
  std::size_t size() const { return pixels() * kNormImages * kNormChannels; }
};
constexpr std::array<PixelShape, 5> kPixelShapes{{{1, 1}, {1, 3}, {7, 7}, {9, 9}, {32, 32}}};

/// What batch norm reads and what it leaves, in the layouts of the network.
template <class T>
struct BatchNormCase {
  explicit BatchNormCase(const PixelShape& its_shape)
      : shape(its_shape),
        x(normal_values<T>(shape.size(), 1, 3, 2)),
        dy(normal_values<T>(shape.size(), 2)),
        scale(normal_values<float>(kNormChannels, 3, 1, 0.2F)),
        shift(normal_values<float>(kNormChannels, 4)) {}

  PixelShape shape;
  std::vector<T> x, dy;
  std::vector<float> scale, shift;
};
template <class T>
struct BatchNormResults {
  std::vector<T> y, dx;
  std::vector<float> mean, variance, diff_scale, diff_shift;
};

template <class T>
BatchNormResults<T> by_onednn(const BatchNormCase<T>& c, bool relu) {
  using Forward = dnnl::batch_normalization_forward;
  using Backward = dnnl::batch_normalization_backward;
  const memory::desc data(
      {kNormImages, kNormChannels, c.shape.height, c.shape.width}, kType<T>,
      kChannelBlock == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c);
  auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  if (relu) flags |= dnnl::normalization_flags::fuse_norm_relu;
  const auto epsilon = static_cast<float>(kNormEpsilon);
#if DNNL_VERSION_MAJOR >= 3
  const auto forward =
      forward_desc<Forward>(dnnl::prop_kind::forward_training, data, data, epsilon, flags);
  const auto backward =
      backward_desc<Backward>(forward, dnnl::prop_kind::backward, data, data, data, epsilon, flags);
#else
  const auto forward =
      forward_desc<Forward>(dnnl::prop_kind::forward_training, data, epsilon, flags);
  const auto backward =
      backward_desc<Backward>(forward, dnnl::prop_kind::backward, data, data, epsilon, flags);
#endif
  const memory x = memory_of(data, c.x), dy = memory_of(data, c.dy);
  const memory scale = memory_of(array_desc<float>(kNormChannels), c.scale);
  const memory shift = memory_of(array_desc<float>(kNormChannels), c.shift);
  const memory y(data, cpu_engine()), dx(data, cpu_engine());
  const memory mean(forward.mean_desc(), cpu_engine());
  const memory variance(forward.variance_desc(), cpu_engine());
  const memory workspace(forward.workspace_desc(), cpu_engine());
  const memory diff_scale(array_desc<float>(kNormChannels), cpu_engine());
  const memory diff_shift(array_desc<float>(kNormChannels), cpu_engine());
  execute(Forward(forward), forward,
          {{DNNL_ARG_SRC, x},
           {DNNL_ARG_SCALE, scale},
           {DNNL_ARG_SHIFT, shift},
           {DNNL_ARG_DST, y},
           {DNNL_ARG_MEAN, mean},
           {DNNL_ARG_VARIANCE, variance},
           {DNNL_ARG_WORKSPACE, workspace}});
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, x},
                                            {DNNL_ARG_MEAN, mean},
                                            {DNNL_ARG_VARIANCE, variance},
                                            {DNNL_ARG_DIFF_DST, dy},
                                            {DNNL_ARG_SCALE, scale},
                                            {DNNL_ARG_WORKSPACE, workspace},
                                            {DNNL_ARG_DIFF_SRC, dx},
                                            {DNNL_ARG_DIFF_SCALE, diff_scale},
                                            {DNNL_ARG_DIFF_SHIFT, diff_shift}};
#if DNNL_VERSION_MAJOR < 3
  // Version 2 insists on the shift, version 3 refuses it.
  arguments.emplace(DNNL_ARG_SHIFT, shift);
#endif
  execute(Backward(backward), backward, arguments);
  const std::size_t size = c.shape.size();
  return {.y = values_of<T>(y, size),
          .dx = values_of<T>(dx, size),
          .mean = values_of<float>(mean, kNormChannels),
          .variance = values_of<float>(variance, kNormChannels),
          .diff_scale = values_of<float>(diff_scale, kNormChannels),
          .diff_shift = values_of<float>(diff_shift, kNormChannels)};
}

/// Where ReLU's mask comes from.
enum class ReluUse { kNone, kMask, kRemask };

template <class T>
BatchNormResults<T> by_kernels(const BatchNormCase<T>& c, ReluUse relu) {
  const std::size_t pixels = c.shape.pixels();
  const double count = static_cast<double>(pixels) * kNormImages;
  BatchNormResults<T> r;
  r.y.resize(c.x.size());
  r.dx = c.dy;
  for (auto* const sums : {&r.mean, &r.variance, &r.diff_scale, &r.diff_shift})
    sums->resize(kNormChannels);
  std::vector<float> factor(kNormChannels), offset(kNormChannels), slope(kNormChannels),
      diff_offset(kNormChannels);
  const auto for_each_image = [&](std::size_t channel, const auto& body) {
    for (std::size_t image = 0; image < kNormImages; ++image)
      body((image * kNormChannels + channel) * pixels);
  };
  for (std::size_t c0 = 0; c0 < kNormChannels; c0 += kChannelBlock) {
    std::array<double, kChannelBlock> a{}, b{}, sum_a{}, sum_b{};
    const auto add_up = [&] {
      for (std::size_t i = 0; i < kChannelBlock; ++i) {
        sum_a[i] += a[i];
        sum_b[i] += b[i];
      }
    };
    for_each_image(c0, [&](std::size_t at) {
      moments(&c.x[at], pixels, a.data(), b.data());
      add_up();
    });
    std::array<double, kChannelBlock> inverse{};
    for (std::size_t i = 0; i < kChannelBlock; ++i) {
      const double mean = sum_a[i] / count, variance = sum_b[i] / count - mean * mean;
      inverse[i] = 1 / std::sqrt(variance + kNormEpsilon);
      r.mean[c0 + i] = static_cast<float>(mean);
      r.variance[c0 + i] = static_cast<float>(variance);
      factor[c0 + i] = static_cast<float>(c.scale[c0 + i] * inverse[i]);
      offset[c0 + i] = c.shift[c0 + i] - r.mean[c0 + i] * factor[c0 + i];
    }
    sum_a.fill(0);
    sum_b.fill(0);
    for_each_image(c0, [&](std::size_t at) {
      const T* const x = &c.x[at];
      T* const dy = &r.dx[at];
      normalize<T>(x, nullptr, pixels, &factor[c0], &offset[c0], relu != ReluUse::kNone, &r.y[at]);
      if (relu == ReluUse::kNone)
        diff_moments(x, dy, pixels, &r.mean[c0], a.data(), b.data());
      else if (relu == ReluUse::kMask)
        mask_and_diff_moments(x, &r.y[at], pixels, &r.mean[c0], dy, a.data(), b.data());
      else
        remask_and_diff_moments(x, pixels, &r.mean[c0], &factor[c0], &offset[c0], dy, a.data(),
                                b.data());
      add_up();
    });
    for (std::size_t i = 0; i < kChannelBlock; ++i) {
      r.diff_scale[c0 + i] = static_cast<float>(sum_b[i] * inverse[i]);
      r.diff_shift[c0 + i] = static_cast<float>(sum_a[i]);
      const double rate = double{factor[c0 + i]} / count;
      slope[c0 + i] = static_cast<float>(-rate * inverse[i] * inverse[i] * sum_b[i]);
      diff_offset[c0 + i] = static_cast<float>(-rate * sum_a[i]);
    }
    for_each_image(c0, [&](std::size_t at) {
      combine_diff(&c.x[at], &r.dx[at], pixels, &r.mean[c0], &factor[c0], &slope[c0],
                   &diff_offset[c0], &r.dx[at]);
    });
  }
  return r;
}

/// The largest distance of two results, in units of what is allowed: `absolute` and two roundings
/// of T.
template <class T>
double distance(const std::vector<T>& found, const std::vector<T>& expected, double absolute) {
  double worst = found.size() == expected.size() ? 0 : 1e9;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double wanted = to_float(expected[i]), off = to_float(found[i]) - wanted;
    worst = std::max(worst, std::abs(off) / (absolute + 2 * kRounding<T> * std::abs(wanted)));
  }
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("batch norm with and without ReLU is oneDNN's, forward and backward", T, float,
                   Bfloat16) {
  if (std::is_same_v<T, Bfloat16> && !supports_bfloat16()) {
    MESSAGE("skipped: this CPU does not compute with bf16");
    return;
  }
  const SingleThreadScope single_thread;
  for (const PixelShape& shape : kPixelShapes)
    for (const ReluUse relu : {ReluUse::kNone, ReluUse::kMask, ReluUse::kRemask}) {
      CAPTURE(shape.pixels());
      CAPTURE(static_cast<int>(relu));
      const BatchNormCase<T> c(shape);
      const BatchNormResults<T> found = by_kernels(c, relu);
      const BatchNormResults<T> expected = by_onednn(c, relu != ReluUse::kNone);
      const double count = static_cast<double>(shape.pixels()) * kNormImages;
      CHECK(distance(found.mean, expected.mean, 5e-6) <= 1);
      CHECK(distance(found.variance, expected.variance, 2e-5) <= 1);
      CHECK(distance(found.y, expected.y, 2e-5) <= 1);
      CHECK(distance(found.diff_shift, expected.diff_shift, 1e-6 * count) <= 1);
      CHECK(distance(found.diff_scale, expected.diff_scale, 1e-6 * count) <= 1);
      CHECK(distance(found.dx, expected.dx, 2e-5) <= 1);
    }
}
