#pragma once

#include <cstddef>
#include <vector>

#include "nn/kernel_choices.h"
#include "nn/team.h"

namespace localbatch {

/// |dW|^2 of a convolution for one image, from inner products of pixels instead of dW ("ghost
/// norm": Goodfellow 2015 for dense layers, Bu, Mao and Xu 2022 for convolutions).
///
/// dW is a sum over output pixels p of (diff at p) times (input patch at p), so
///
///   |dW|^2 = sum over p, q of <dy_p, dy_q> sum over kernel offsets o of <x_{sp+o}, x_{sq+o}>
///
/// with stride s: two Gram matrices, whose size depends on pixels and not on weights. Products and
/// sums over channels are f32, the sum over p is double.
///
/// Images are in channel blocks, [C/block][H][W][block] of float or Bfloat16.
class PixelNorm {
 public:
  explicit PixelNorm(const ConvolutionShape& shape);

  /// The cost of one image, including transposing and adding up.
  double multiply_adds() const;

  /// Pixels that a Gram matrix has on a side; some of them are padding.
  int positions() const;

  /// Bytes of thread memory that squared_norm() takes.
  std::size_t scratch() const;

  template <class T>
  double squared_norm(const T* src, const T* diff_dst, Thread& thread) const;

 private:
  /// Output pixel (y, x) has position y * pitch_ + x. Input pixels that agree in row and column
  /// modulo the stride meet each other only, and under a kernel offset (row, column) their position
  /// is that of the output pixel plus (row / s) * pitch_ + column / s.
  struct Polyphase {
    int row = 0, column = 0;       ///< first kernel offset; others follow in steps of the stride
    int first_y = 0, first_x = 0;  ///< first input pixel
    int rows = 0, columns = 0;     ///< input pixels that a kernel meets, in steps of the stride
    int first_position = 0;        ///< position of the first input pixel
    int positions = 0;             ///< from the first pixel to the last
  };

  Polyphase make_polyphase(int row, int column) const;
  int output_positions() const { return (dst_.height - 1) * pitch_ + dst_.width; }
  std::size_t panels_size() const;
  std::size_t src_stride(const Polyphase& phase) const;
  std::size_t src_products_size(const Polyphase& phase) const;
  double add_up(const Polyphase& phase, const float* diff_products,
                const float* src_products) const;

  ConvolutionShape shape_;
  ImageShape dst_;
  int pitch_;
  std::vector<Polyphase> polyphases_;
};

}  // namespace localbatch
