#pragma once

#include <cstddef>

#include "core/channel_block.h"

namespace localbatch {

// Operations on every value of an activation. T is float or Bfloat16, arithmetic is f32.

void convert(const float* from, std::size_t count, Bfloat16* to);

/// to += from.
template <class T>
void add(const T* from, std::size_t count, T* to);

/// to = from, negative values 0; to = diff where the output is positive, else 0.
template <class T>
void relu(const T* from, std::size_t count, T* to);
template <class T>
void mask(const T* output, const T* diff, std::size_t count, T* to);

/// Mean over the pixels of one channel block, by sums as below.
template <class T>
Vector mean(const T* x, std::size_t pixels);

// Normalizations over one channel block of one image: `pixels` times kChannelBlock values, the
// arrays of coefficients and sums have kChannelBlock entries. Sums run in f32 over sixteen pixels
// at most and in double from there.

/// sum = sum of x, sum_of_squares = sum of x^2.
template <class T>
void moments(const T* x, std::size_t pixels, double* sum, double* sum_of_squares);

/// y = x * factor + offset (+ residual), then ReLU if asked. `residual` may be null.
template <class T>
void normalize(const T* x, const T* residual, std::size_t pixels, const float* factor,
               const float* offset, bool relu, T* y);

/// sum = sum of dy, sum_centered = sum of dy (x - mean).
template <class T>
void diff_moments(const T* x, const T* dy, std::size_t pixels, const float* mean, double* sum,
                  double* sum_centered);

/// diff_moments() after ReLU's mask has been applied to dy: where y is not positive, dy becomes 0.
template <class T>
void mask_and_diff_moments(const T* x, const T* y, std::size_t pixels, const float* mean, T* dy,
                           double* sum, double* sum_centered);

/// mask_and_diff_moments() with y computed again as x * factor + offset.
template <class T>
void remask_and_diff_moments(const T* x, std::size_t pixels, const float* mean, const float* factor,
                             const float* offset, T* dy, double* sum, double* sum_centered);

/// dx = factor * dy + slope * (x - mean) + offset.
template <class T>
void combine_diff(const T* x, const T* dy, std::size_t pixels, const float* mean,
                  const float* factor, const float* slope, const float* offset, T* dx);

}  // namespace localbatch
