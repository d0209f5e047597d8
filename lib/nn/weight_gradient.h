#pragma once

#include <cstddef>

#include "core/channel_block.h"
#include "nn/decoder.h"
#include "nn/onednn_products.h"
#include "nn/sequence_sums.h"

namespace localbatch {

/// What the gradient by the weights of a linear layer is made of, dW = diff_y^T x, for some rows of
/// a micro-batch: [rows][outputs] and [rows][inputs].
template <class T>
struct LinearDiffs {
  const T* diff_y = nullptr;
  const T* x = nullptr;
  int rows = 0;
  int first_sequence = 0;  ///< where sums are wanted, rows are whole sequences from this one
};

/// The gradient by weights and bias of a linear layer over tokens, and the sums of single
/// sequences. It is cut by outputs into tiles, each over all rows, so that no tile waits for
/// another one and no partial gradient is ever written.
///
/// Sums of sequences come in one of two ways. Either the tile of one sequence's gradient is made,
/// looked at and added to the others: that costs reading and writing it. Or the squared norm comes
/// from two Gram matrices, sum over tokens t, s of <x_t, x_s> <dy_t, dy_s> (Goodfellow 2015): that
/// wins where a sequence has few tokens and a layer many weights, and more often where nobody wants
/// the gradient.
template <class T>
class WeightGradient {
 public:
  WeightGradient(MatrixProducts& products, const LinearPlace& place, int length);

  /// Bytes of thread frames that compute() takes.
  std::size_t scratch() const;

  /// Calls that compute the gradient of so many rows.
  int units(const GradientPass& pass, int rows) const;
  /// `sums_unit` is that of unit 0 in the sums.
  void compute(int unit, int sums_unit, Thread& thread, const LinearDiffs<T>& diffs,
               const GradientPass& pass) const;

 private:
  struct Tile {
    int first = 0, outputs = 0;
  };
  int tiles() const;
  Tile tile(int index) const;
  bool uses_gram_matrices(const GradientPass& pass) const;
  void add_gradient(Thread& thread, const Tile& tile, const LinearDiffs<T>& diffs,
                    const GradientPass& pass) const;
  void add_sequences(int unit, Thread& thread, const Tile& tile, const LinearDiffs<T>& diffs,
                     const GradientPass& pass) const;
  void add_norm(int unit, int sequence, Thread& thread, const LinearDiffs<T>& diffs,
                const GradientPass& pass) const;
  void multiply(Thread& thread, const Tile& tile, int rows, const T* diff_y, const T* x, bool adds,
                float* gradient) const;

  MatrixProducts& products_;
  LinearPlace place_;
  int length_, tile_outputs_;
};

extern template class WeightGradient<float>;
extern template class WeightGradient<Bfloat16>;

}  // namespace localbatch
