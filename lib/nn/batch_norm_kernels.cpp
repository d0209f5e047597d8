#include "nn/batch_norm_kernels.h"

#include <algorithm>

#include "nn/layer.h"

namespace localbatch {

namespace {

constexpr std::size_t kBlock = kChannelBlock;

/// Calls body(i, lane) for all values of a block with the loop over lanes innermost and of constant
/// length: the compiler turns it into whole vector registers.
template <class Body>
inline void for_each_value(std::size_t pixels, const Body& body) {
  for (std::size_t pixel = 0; pixel < pixels; ++pixel)
    for (std::size_t lane = 0; lane < kBlock; ++lane) body(pixel * kBlock + lane, lane);
}

}  // namespace

void add_moments(const float* x, std::size_t pixels, double* sum, double* sum_of_squares) {
  double s[kBlock] = {}, q[kBlock] = {};
  for_each_value(pixels, [&](std::size_t i, std::size_t lane) {
    const double value = x[i];
    s[lane] += value;
    q[lane] += value * value;
  });
  for (std::size_t lane = 0; lane < kBlock; ++lane) {
    sum[lane] += s[lane];
    sum_of_squares[lane] += q[lane];
  }
}

void normalize(const float* x, const float* residual, std::size_t pixels, const float* factor,
               const float* offset, bool relu, float* __restrict y) {
  const float lowest = relu ? 0.0F : -__builtin_inff();
  if (residual != nullptr) {
    for_each_value(pixels, [&](std::size_t i, std::size_t lane) {
      const float value = x[i] * factor[lane] + offset[lane] + residual[i];
      y[i] = value < lowest ? lowest : value;
    });
  } else {
    for_each_value(pixels, [&](std::size_t i, std::size_t lane) {
      const float value = x[i] * factor[lane] + offset[lane];
      y[i] = value < lowest ? lowest : value;
    });
  }
}

void mask_and_add_moments(const float* x, const float* y, std::size_t pixels, const float* mean,
                          float* __restrict dy, double* sum_dy, double* sum_dy_centered) {
  // Two plain loops: in one with the mask, the compiler gives up on vector registers.
  if (y != nullptr)
    for_each_value(pixels, [&](std::size_t i, std::size_t) { dy[i] = y[i] > 0 ? dy[i] : 0.0F; });
  double s[kBlock] = {}, c[kBlock] = {};
  for_each_value(pixels, [&](std::size_t i, std::size_t lane) {
    s[lane] += double{dy[i]};
    c[lane] += double{dy[i]} * double{x[i] - mean[lane]};
  });
  for (std::size_t lane = 0; lane < kBlock; ++lane) {
    sum_dy[lane] += s[lane];
    sum_dy_centered[lane] += c[lane];
  }
}

void combine_gradient(const float* x, const float* dy, std::size_t pixels, const float* mean,
                      const float* factor, const float* slope, const float* offset, bool add,
                      float* __restrict dx) {
  const auto value = [&](std::size_t i, std::size_t lane) {
    return factor[lane] * dy[i] + slope[lane] * (x[i] - mean[lane]) + offset[lane];
  };
  if (add) {
    for_each_value(pixels, [&](std::size_t i, std::size_t lane) { dx[i] += value(i, lane); });
  } else {
    for_each_value(pixels, [&](std::size_t i, std::size_t lane) { dx[i] = value(i, lane); });
  }
}

}  // namespace localbatch
