#include "nn/token_norm.h"

#include <cmath>

#include "nn/row_vectors.h"
#include "nn/vector_functions.h"

namespace localbatch {

namespace {

using Index = std::ptrdiff_t;

/// xh = (x - mean) * inverse_deviation.
struct RowMoments {
  float mean = 0, inverse_deviation = 0;
};

RowMoments moments_of(const TokenNorm& norm, const float* src) {
  const auto width = static_cast<float>(norm.width);
  RowMoments moments;
  if (norm.centered) {
    Vector sum{};
    for_each_vector(norm.width, [&](Index i, auto lanes) { sum += lanes.load(src + i); });
    moments.mean = sum_of_lanes(sum) / width;
  }
  Vector squares{};
  for_each_vector(norm.width, [&](Index i, auto lanes) {
    const Vector distance = lanes.keep(lanes.load(src + i) - moments.mean, Vector{});
    squares += distance * distance;
  });
  const double variance = double{sum_of_lanes(squares)} / norm.width;
  moments.inverse_deviation = static_cast<float>(1 / std::sqrt(variance + norm.epsilon));
  return moments;
}

}  // namespace

template <class T>
void normalize_rows(const TokenNorm& norm, int rows, const float* src, T* dst) {
  for (int row = 0; row < rows; ++row, src += norm.width, dst += norm.width) {
    const auto [mean, inverse_deviation] = moments_of(norm, src);
    const float m = mean, r = inverse_deviation;
    for_each_vector(norm.width, [&](Index i, auto lanes) {
      Vector y = (lanes.load(src + i) - m) * r * lanes.load(norm.scale + i);
      if (norm.shift != nullptr) y += lanes.load(norm.shift + i);
      lanes.store(dst + i, y);
    });
  }
}

void normalize_rows_backward(const TokenNorm& norm, int rows, const float* src,
                             const float* diff_dst, float* diff_src, float* diff_scale,
                             float* diff_shift) {
  const auto width = static_cast<float>(norm.width);
  for (int row = 0; row < rows; ++row) {
    const RowMoments moments = moments_of(norm, src);
    const float m = moments.mean, r = moments.inverse_deviation;
    // With u = scale * dy: dx = r (u - mean(u) - xh mean(u xh)), where only a mean that was
    // subtracted has a share.
    Vector sum{}, product{};
    for_each_vector(norm.width, [&](Index i, auto lanes) {
      const Vector dy = lanes.load(diff_dst + i), xh = (lanes.load(src + i) - m) * r;
      const Vector u = lanes.load(norm.scale + i) * dy;
      sum += u;
      product += u * xh;
      lanes.store(diff_scale + i, lanes.load(diff_scale + i) + dy * xh);
      if (diff_shift != nullptr) lanes.store(diff_shift + i, lanes.load(diff_shift + i) + dy);
    });
    const float mean = norm.centered ? sum_of_lanes(sum) / width : 0;
    const float mean_product = sum_of_lanes(product) / width;
    for_each_vector(norm.width, [&](Index i, auto lanes) {
      const Vector u = lanes.load(norm.scale + i) * lanes.load(diff_dst + i);
      const Vector xh = (lanes.load(src + i) - m) * r;
      lanes.store(diff_src + i, lanes.load(diff_src + i) + r * (u - mean - xh * mean_product));
    });
    src += norm.width;
    diff_dst += norm.width;
    diff_src += norm.width;
  }
}

template void normalize_rows(const TokenNorm&, int, const float*, float*);
template void normalize_rows(const TokenNorm&, int, const float*, Bfloat16*);

}  // namespace localbatch
