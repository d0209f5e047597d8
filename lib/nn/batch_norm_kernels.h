#pragma once

#include <cstddef>

namespace localbatch {

// Batch norm over one channel block of one image: `pixels` times kChannelBlock values. All arrays
// of coefficients have kChannelBlock entries. Sums are kept in double: squares of f32 values are
// exact there, so the variance E[x^2] - mean^2 loses nothing that matters.

/// sum += x, sum_of_squares += x^2.
void add_moments(const float* x, std::size_t pixels, double* sum, double* sum_of_squares);

/// y = x * factor + offset (+ residual), then ReLU if asked. `residual` may be null.
void normalize(const float* x, const float* residual, std::size_t pixels, const float* factor,
               const float* offset, bool relu, float* y);

/// Applies the ReLU's mask to dy (where y is not positive, dy becomes 0; y null: no ReLU), and adds
/// dy and dy * (x - mean) to the sums.
void mask_and_add_moments(const float* x, const float* y, std::size_t pixels, const float* mean,
                          float* dy, double* sum_dy, double* sum_dy_centered);

/// dx = factor * dy + slope * (x - mean) + offset, written or added.
void combine_gradient(const float* x, const float* dy, std::size_t pixels, const float* mean,
                      const float* factor, const float* slope, const float* offset, bool add,
                      float* dx);

}  // namespace localbatch
