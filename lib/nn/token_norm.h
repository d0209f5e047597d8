#pragma once

namespace localbatch {

/// Normalization of a token's features, LayerNorm (Ba, Kiros and Hinton 2016) or RMSNorm (Zhang and
/// Sennrich 2019):
///
///   y = scale * xh + shift,  xh = (x - m)/sqrt(mean((x - m)^2) + epsilon)
///
/// where m is the mean of x if `centered`, and 0 otherwise.
struct TokenNorm {
  int width = 1;
  bool centered = false;
  double epsilon = 1e-5;
  const float* scale = nullptr;  ///< [width]
  const float* shift = nullptr;  ///< [width], or null: none
};

/// Rows [width] of src to dst. T: float, or Bfloat16 to round to.
template <class T>
void normalize_rows(const TokenNorm& norm, int rows, const float* src, T* dst);

/// Adds to the diff of src, and to those of the parameters the sums over these rows.
/// diff_shift: [width], or null if nobody wants it.
void normalize_rows_backward(const TokenNorm& norm, int rows, const float* src,
                             const float* diff_dst, float* diff_src, float* diff_scale,
                             float* diff_shift);

}  // namespace localbatch
