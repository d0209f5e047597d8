#include "nn/token_norm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/vector.h"

using namespace localbatch;

namespace {

std::vector<float> random_rows(std::size_t count, unsigned seed, float mean = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, 1);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// y of one row by the formula, in double.
std::vector<double> expected(const TokenNorm& norm, const std::vector<double>& x,
                             const std::vector<double>& scale, const std::vector<double>& shift) {
  double mean = 0, square = 0;
  if (norm.centered)
    for (const double value : x) mean += value / norm.width;
  for (const double value : x) square += (value - mean) * (value - mean) / norm.width;
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = scale[i] * (x[i] - mean) / std::sqrt(square + norm.epsilon) + shift[i];
  return y;
}

constexpr int kTokenRows = 3;

/// Rows with parameters; RMSNorm without shift, LayerNorm with and without.
struct Rows {
  int width;
  std::vector<float> src, scale, shift, diff_dst;
  TokenNorm norm;

  Rows(int row_width, bool centered, bool shifted)
      : width(row_width),
        src(random_rows(size(kTokenRows), 1, 0.5F)),
        scale(random_rows(size(1), 2, 1)),
        shift(random_rows(size(1), 3)),
        diff_dst(random_rows(size(kTokenRows), 4)),
        norm{width, centered, 1e-5, scale.data(), shifted ? shift.data() : nullptr} {
    if (!shifted) shift.assign(shift.size(), 0);
  }

  std::size_t size(int rows) const {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(width);
  }

  /// <y, diff_dst> of all rows by the formula.
  double loss(const std::vector<double>& x, const std::vector<double>& factors,
              const std::vector<double>& offsets) const {
    double sum = 0;
    for (int row = 0; row < kTokenRows; ++row) {
      const auto begin = x.begin() + row * width;
      const std::vector<double> y =
          expected(norm, std::vector<double>(begin, begin + width), factors, offsets);
      for (int i = 0; i < width; ++i)
        sum += y[static_cast<std::size_t>(i)] * diff_dst[size(row) + static_cast<std::size_t>(i)];
    }
    return sum;
  }
};

/// Slope of `loss` at `at` along a direction, less that of a gradient.
template <class Loss>
double slope_error(const std::vector<float>& at, const std::vector<float>& gradient, Loss loss) {
  const std::vector<float> direction = random_rows(at.size(), 9);
  std::vector<double> there(at.begin(), at.end()), back = there;
  double slope = 0;
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < at.size(); ++i) {
    there[i] += kStep * direction[i];
    back[i] -= kStep * direction[i];
    slope += double{gradient[i]} * direction[i];
  }
  return (loss(there) - loss(back)) / (2 * kStep) - slope;
}

std::vector<double> in_doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

template <class Check>
void for_each_kind(Check check) {
  for (const int width : {1, 3, kChannelBlock, 64, 100, 288, 2048})
    for (const int kind : {0, 1, 2}) {
      CAPTURE(width);
      CAPTURE(kind);
      check(Rows(width, kind > 0, kind == 2));
    }
}

}  // namespace

TEST_CASE("rows are normalized by the formula, in f32 and rounded to bf16") {
  for_each_kind([](const Rows& rows) {
    std::vector<float> dst(rows.src.size());
    std::vector<Bfloat16> halves(rows.src.size());
    normalize_rows(rows.norm, kTokenRows, rows.src.data(), dst.data());
    normalize_rows(rows.norm, kTokenRows, rows.src.data(), halves.data());
    const auto scale = in_doubles(rows.scale), shift = in_doubles(rows.shift);
    double error = 0;
    bool rounded = true;
    for (int row = 0; row < kTokenRows; ++row) {
      const auto begin = rows.src.begin() + row * rows.width;
      const auto y =
          expected(rows.norm, std::vector<double>(begin, begin + rows.width), scale, shift);
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::size_t at = rows.size(row) + i;
        error = std::max(error, std::abs(y[i] - dst[at]));
        Bfloat16 half[kChannelBlock];
        store(half, broadcast(dst[at]));
        rounded = rounded && halves[at].bits == half[0].bits;
      }
    }
    CHECK(error < 2e-6);
    CHECK(rounded);
  });
}

TEST_CASE("gradients of rows and parameters are finite differences, and are added") {
  for_each_kind([](const Rows& rows) {
    std::vector<float> diff_src(rows.src.size(), 2), diff_scale(rows.scale.size(), 3);
    std::vector<float> diff_shift(rows.shift.size(), 4);
    normalize_rows_backward(rows.norm, kTokenRows, rows.src.data(), rows.diff_dst.data(),
                            diff_src.data(), diff_scale.data(), diff_shift.data());
    std::vector<float> scale_alone(diff_scale.size(), 3);
    std::vector<float> src_again(diff_src.size(), 2);
    normalize_rows_backward(rows.norm, kTokenRows, rows.src.data(), rows.diff_dst.data(),
                            src_again.data(), scale_alone.data(), nullptr);
    CHECK(scale_alone == diff_scale);
    CHECK(src_again == diff_src);
    for (float& value : diff_src) value -= 2;
    for (float& value : diff_scale) value -= 3;
    for (float& value : diff_shift) value -= 4;
    const auto src = in_doubles(rows.src), scale = in_doubles(rows.scale);
    const auto shift = in_doubles(rows.shift);
    const double tolerance = 2e-5 * std::sqrt(rows.width);
    CHECK(std::abs(slope_error(rows.src, diff_src, [&](const std::vector<double>& x) {
            return rows.loss(x, scale, shift);
          })) < tolerance);
    CHECK(std::abs(slope_error(rows.scale, diff_scale, [&](const std::vector<double>& x) {
            return rows.loss(src, x, shift);
          })) < tolerance);
    CHECK(std::abs(slope_error(rows.shift, diff_shift, [&](const std::vector<double>& x) {
            return rows.loss(src, scale, x);
          })) < tolerance);
  });
}

TEST_CASE("a row of zeros stays finite, and LayerNorm does not see an offset") {
  const std::vector<float> ones(20, 1), zeros(20), large(20, 1e4F);
  std::vector<float> y(20, 7);
  for (const bool centered : {false, true}) {
    normalize_rows(TokenNorm{20, centered, 1e-5, ones.data(), nullptr}, 1, zeros.data(), y.data());
    CHECK(y == zeros);
  }
  normalize_rows(TokenNorm{20, true, 1e-5, ones.data(), nullptr}, 1, large.data(), y.data());
  CHECK(y == zeros);
  normalize_rows(TokenNorm{20, false, 1e-5, ones.data(), nullptr}, 1, large.data(), y.data());
  for (const float value : y) CHECK(value == doctest::Approx(1).epsilon(1e-6));
}
