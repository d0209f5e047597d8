#include "nn/elementwise.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "nn/activations.h"

using namespace localbatch;

// Every kernel against loops in double. What a kernel writes may be off by the rounding of T and by
// a few roundings of f32 before; sums by those of f32 over 64 pixels in four registers.

namespace {

constexpr std::size_t kBlockChannels = kChannelBlock;
constexpr double kFloatRounding = 0x1p-24;

constexpr std::array<std::size_t, 8> kPixelCounts{1, 3, 4, 49, 64, 65, 81, 1024};

/// The largest distance of a stored result from `expected`, in units of what rounding allows:
/// `size` is the sum of the magnitudes of its terms.
template <class T>
double rounding_error(T found, double expected, double size) {
  const double allowed = kRounding<T> * std::abs(expected) + 4 * kFloatRounding * size;
  return std::abs(double{to_float(found)} - expected) / std::max(allowed, 1e-30);
}

/// Random activations of one channel block and coefficients that differ by channel.
template <class T>
struct BlockCase {
  explicit BlockCase(std::size_t num_pixels)
      : pixels(num_pixels),
        x(normal_values<T>(pixels * kBlockChannels, 1, 0.5F, 2)),
        y(normal_values<T>(pixels * kBlockChannels, 2)),
        dy(normal_values<T>(pixels * kBlockChannels, 3)),
        mean(normal_values<float>(kBlockChannels, 4)),
        factor(normal_values<float>(kBlockChannels, 5)),
        offset(normal_values<float>(kBlockChannels, 6)),
        slope(normal_values<float>(kBlockChannels, 7)) {}

  std::size_t pixels;
  std::vector<T> x, y, dy;
  std::vector<float> mean, factor, offset, slope;
  std::array<double, kBlockChannels> first{}, second{};  ///< what a kernel leaves

  /// Sums by channel of a and b, and of their magnitudes: terms(index, channel) gives both.
  template <class Terms>
  double sum_error(const Terms& terms) const {
    double worst = 0;
    for (std::size_t channel = 0; channel < kBlockChannels; ++channel) {
      double a = 0, b = 0, a_size = 0, b_size = 0;
      for (std::size_t i = channel; i < x.size(); i += kBlockChannels) {
        const auto [its_a, its_b] = terms(i, channel);
        a += its_a;
        b += its_b;
        a_size += std::abs(its_a);
        b_size += std::abs(its_b);
      }
      // Sixteen additions, two more for the four registers, two roundings of the term itself.
      const double allowed = 20 * kFloatRounding;
      worst = std::max(worst, std::abs(first[channel] - a) / (allowed * a_size + 1e-30));
      worst = std::max(worst, std::abs(second[channel] - b) / (allowed * b_size + 1e-30));
    }
    return worst;
  }
};

double value(float x) { return x; }
double value(Bfloat16 x) { return to_float(x); }

}  // namespace

TEST_CASE_TEMPLATE("add, relu and mask do what they say to arrays of any length", T, float,
                   Bfloat16) {
  for (const std::size_t count : kCounts) {
    CAPTURE(count);
    std::vector<T> a = normal_values<T>(count, 1), b = normal_values<T>(count, 2);
    std::vector<float> sum, positive, masked;
    for (std::size_t i = 0; i < count; ++i) {
      const float x = to_float(a[i]), y = to_float(b[i]);
      sum.push_back(x + y);
      positive.push_back(x > 0 ? x : 0);
      masked.push_back(x > 0 ? y : 0);
    }
    const T guard = rounded<T>(77);
    const auto run = [&](const auto& kernel, const std::vector<float>& expected,
                         std::vector<T> to) {
      to.resize(count);
      to.push_back(guard);
      kernel(to.data());
      CHECK(to_float(to.back()) == 77);
      to.pop_back();
      CHECK(all_same(to, expected));
    };
    run([&](T* to) { add(a.data(), count, to); }, sum, b);
    run([&](T* to) { relu(a.data(), count, to); }, positive, {});
    run([&](T* to) { mask(a.data(), b.data(), count, to); }, masked, {});
  }
}

TEST_CASE_TEMPLATE("ReLU's edge: zero passes no diff, NaN and infinity are not swallowed", T, float,
                   Bfloat16) {
  const std::vector<float> x{0.0F, -0.0F, kNan, kInfinity, -kInfinity, 0x1p-126F, -0x1p-126F};
  const std::vector<float> positive{0, 0, kNan, kInfinity, 0, 0x1p-126F, 0};
  const std::vector<float> open{0, 0, 0, 3, 0, 3, 0};
  const std::size_t count = x.size();
  const std::vector<T> from = from_floats<T>(x), dy(count, rounded<T>(3));
  std::vector<T> to(count);
  relu(from.data(), count, to.data());
  CHECK(all_same(to, positive));
  mask(from.data(), dy.data(), count, to.data());
  CHECK(all_same(to, open));

  // Batch norm's ReLU likewise, with factor 1 and offset 0, for every pixel and channel.
  std::vector<T> block(count * kBlockChannels), y(block.size());
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = from[i / kBlockChannels];
  const std::vector<float> one(kBlockChannels, 1), zero(kBlockChannels, 0);
  for (const bool relu : {false, true}) {
    normalize<T>(block.data(), nullptr, count, one.data(), zero.data(), relu, y.data());
    std::vector<float> expected(y.size());
    for (std::size_t i = 0; i < y.size(); ++i)
      expected[i] = relu ? positive[i / kBlockChannels] : x[i / kBlockChannels];
    CHECK(all_same(y, expected));
  }
}

TEST_CASE_TEMPLATE("normalize scales, shifts, adds the residual and applies ReLU", T, float,
                   Bfloat16) {
  for (const std::size_t pixels : kPixelCounts)
    for (const bool relu : {false, true})
      for (const bool with_residual : {false, true}) {
        const BlockCase<T> c(pixels);
        std::vector<T> found(c.x.size());
        normalize(c.x.data(), with_residual ? c.y.data() : nullptr, pixels, c.factor.data(),
                  c.offset.data(), relu, found.data());
        double worst = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
          const double scaled = value(c.x[i]) * value(c.factor[i % kBlockChannels]);
          const double shift = value(c.offset[i % kBlockChannels]);
          const double residual = with_residual ? value(c.y[i]) : 0;
          const double sum = scaled + shift + residual;
          worst = std::max(worst,
                           rounding_error(found[i], relu ? std::max(sum, 0.0) : sum,
                                          std::abs(scaled) + std::abs(shift) + std::abs(residual)));
        }
        CHECK(worst <= 1);
      }
}

TEST_CASE_TEMPLATE("sums over pixels are as good as f32 over 64 pixels", T, float, Bfloat16) {
  for (const std::size_t pixels : kPixelCounts) {
    CAPTURE(pixels);
    BlockCase<T> c(pixels);
    const auto x = [&](std::size_t i) { return value(c.x[i]); };
    moments(c.x.data(), pixels, c.first.data(), c.second.data());
    // Distances from the first pixel are up to twice as large as the values.
    CHECK(c.sum_error([&](std::size_t i, std::size_t) { return std::pair(x(i), x(i) * x(i)); }) <=
          2);

    const Vector means = mean(c.x.data(), pixels);
    for (std::size_t channel = 0; channel < kBlockChannels; ++channel)
      c.first[channel] = double{means[channel]} * static_cast<double>(pixels);
    CHECK(c.sum_error([&](std::size_t i, std::size_t) { return std::pair(x(i), x(i) * x(i)); }) <=
          2);

    const auto centered = [&](std::size_t i, std::size_t channel, double diff) {
      return std::pair(diff, diff * (x(i) - value(c.mean[channel])));
    };
    diff_moments(c.x.data(), c.dy.data(), pixels, c.mean.data(), c.first.data(), c.second.data());
    CHECK(c.sum_error([&](std::size_t i, std::size_t channel) {
      return centered(i, channel, value(c.dy[i]));
    }) <= 1);
  }
}

TEST_CASE_TEMPLATE("masks of both kinds are applied to the diff and to its sums", T, float,
                   Bfloat16) {
  for (const std::size_t pixels : kPixelCounts)
    for (const bool by_output : {false, true}) {
      CAPTURE(pixels);
      CAPTURE(by_output);
      BlockCase<T> c(pixels);
      const std::vector<T> before = c.dy;
      if (by_output)
        mask_and_diff_moments(c.x.data(), c.y.data(), pixels, c.mean.data(), c.dy.data(),
                              c.first.data(), c.second.data());
      else
        remask_and_diff_moments(c.x.data(), pixels, c.mean.data(), c.factor.data(), c.offset.data(),
                                c.dy.data(), c.first.data(), c.second.data());
      bool masked = true;
      for (std::size_t i = 0; i < c.dy.size(); ++i) {
        const double y = by_output ? value(c.y[i])
                                   : value(c.x[i]) * value(c.factor[i % kBlockChannels]) +
                                         value(c.offset[i % kBlockChannels]);
        masked = masked && value(c.dy[i]) == (y > 0 ? value(before[i]) : 0);
      }
      CHECK(masked);
      CHECK(c.sum_error([&](std::size_t i, std::size_t channel) {
        const double diff = value(c.dy[i]);
        return std::pair(diff, diff * (value(c.x[i]) - value(c.mean[channel])));
      }) <= 1);
    }
}

TEST_CASE_TEMPLATE("combine_diff is the linear combination it says", T, float, Bfloat16) {
  for (const std::size_t pixels : kPixelCounts) {
    const BlockCase<T> c(pixels);
    std::vector<T> dx(c.x.size());
    combine_diff(c.x.data(), c.dy.data(), pixels, c.mean.data(), c.factor.data(), c.slope.data(),
                 c.offset.data(), dx.data());
    double worst = 0;
    for (std::size_t i = 0; i < dx.size(); ++i) {
      const std::size_t channel = i % kBlockChannels;
      const double a = value(c.factor[channel]) * value(c.dy[i]);
      const double b = value(c.slope[channel]) * (value(c.x[i]) - value(c.mean[channel]));
      const double size = std::abs(a) + std::abs(b) + std::abs(value(c.offset[channel]));
      worst = std::max(worst, rounding_error(dx[i], a + b + value(c.offset[channel]), size));
    }
    CHECK(worst <= 1);
  }
}

TEST_CASE_TEMPLATE("sums that f32 could not hold are exact", T, float, Bfloat16) {
  // 1 + j/128 is exact in both types; sums of 64 squares are exact in f32, those of 4097 are not.
  constexpr std::size_t kCount = 4097 * kBlockChannels;
  RandomStream random(1, Purpose::kTest);
  std::vector<T> x(kCount), dy(kCount);
  std::array<double, kBlockChannels> sum{}, squares{}, diffs{}, centered{}, a{}, b{};
  for (std::size_t i = 0; i < kCount; ++i) {
    const double j = random.below(128) / 128.0, k = random.below(128) / 128.0;
    x[i] = rounded<T>(static_cast<float>(1 + j));
    dy[i] = rounded<T>(static_cast<float>(1 + k));
    sum[i % kBlockChannels] += 1 + j;
    squares[i % kBlockChannels] += (1 + j) * (1 + j);
    diffs[i % kBlockChannels] += 1 + k;
    centered[i % kBlockChannels] += (1 + k) * j;
  }
  moments(x.data(), 4097, a.data(), b.data());
  CHECK(a == sum);
  CHECK(b == squares);
  const std::vector<float> one(kBlockChannels, 1);
  diff_moments(x.data(), dy.data(), 4097, one.data(), a.data(), b.data());
  CHECK(a == diffs);
  CHECK(b == centered);
}

TEST_CASE_TEMPLATE("the variance survives a mean that is a hundred deviations", T, float,
                   Bfloat16) {
  for (const std::size_t pixels : {49U, 1024U, 65536U}) {
    CAPTURE(pixels);
    const std::vector<T> x = normal_values<T>(pixels * kBlockChannels, 1, 100);
    std::array<double, kBlockChannels> sum{}, squares{};
    moments(x.data(), pixels, sum.data(), squares.data());
    const double count = static_cast<double>(pixels);
    double worst = 0;
    for (std::size_t channel = 0; channel < kBlockChannels; ++channel) {
      double expected_mean = 0, expected = 0;
      for (std::size_t i = channel; i < x.size(); i += kBlockChannels)
        expected_mean += value(x[i]) / count;
      for (std::size_t i = channel; i < x.size(); i += kBlockChannels)
        expected += (value(x[i]) - expected_mean) * (value(x[i]) - expected_mean) / count;
      const double mean = sum[channel] / count;
      const double variance = squares[channel] / count - mean * mean;
      worst = std::max(worst, std::abs(variance / expected - 1));
    }
    // E[x^2] is 10^4 variances: sums of squares in f32 would be wrong by more than 1e-4 of one.
    CHECK(worst < 2e-6);
  }
}
