#pragma once

#include <cstddef>
#include <optional>

#include "nn/rotary.h"
#include "nn/team.h"

namespace localbatch {

/// H query heads share G key and value heads: head j reads key and value head floor(j G/H)
/// (Ainslie et al. 2023, GQA). G = H is multi-head attention.
struct AttentionShape {
  int length = 1;  ///< tokens of the longest sequence
  int heads = 1;   ///< H, a multiple of G
  int key_value_heads = 1;
  int head_size = 1;       ///< e; even if there is a rotation
  double rotary_base = 0;  ///< of the rotary position embedding; 0: none

  /// Numbers of a token: its queries by head, then keys, then values.
  int row() const { return (heads + 2 * key_value_heads) * head_size; }
};

/// Causal self-attention of one sequence (Vaswani et al. 2017): for every query head
///
///   o_t = sum over s <= t of P_ts v_s,  P_t = softmax over s <= t of <q_t, k_s>/sqrt(e)
///
/// All arithmetic is f32. A call computes the heads of one key and value head, so that calls are
/// the work of a team's threads, and no two of them write the same numbers. Bits at token t depend
/// on the tokens up to t only (in the backward pass: on all of them), and not on the length.
///
/// qkv: [length][row()], queries and keys before rotation. output, diff_output: [length][H e].
/// log_sum_exp: [H][length], by which the backward pass finds P again.
class Attention {
 public:
  explicit Attention(const AttentionShape& shape);

  /// Bytes of thread memory that a call takes.
  std::size_t scratch_bytes() const;

  /// `length` is at most that of the shape. T: float, or Bfloat16 to round to.
  template <class T>
  void forward(const float* qkv, int length, int key_value_head, T* output, float* log_sum_exp,
               Thread& thread) const;

  /// Writes the columns of diff_qkv, [length][row()], of the key and value head and its query
  /// heads.
  template <class T>
  void backward(const float* qkv, int length, int key_value_head, const float* log_sum_exp,
                const float* diff_output, T* diff_qkv, Thread& thread) const;

 private:
  struct Columns;   ///< where a head's numbers lie
  struct Backward;  ///< what the backward pass has in thread memory

  Columns query(int head) const;
  Columns key(int key_value_head) const;
  Columns value(int key_value_head) const;
  Columns output(int head) const;
  std::ptrdiff_t width() const;
  void pack(const float* rows, const Columns& columns, std::ptrdiff_t first, std::ptrdiff_t count,
            float* packed) const;
  float* pack_all(const float* rows, const Columns& columns, std::ptrdiff_t length,
                  Thread& thread) const;
  float* pack_transposed(const float* rows, const Columns& columns, std::ptrdiff_t length,
                         Thread& thread) const;
  template <class T>
  void unpack(float* packed, const Columns& columns, std::ptrdiff_t first, std::ptrdiff_t count,
              T* rows) const;
  void backward_queries(const Backward& arrays, const float* log_sum_exp, std::ptrdiff_t first,
                        std::ptrdiff_t count) const;

  AttentionShape shape_;
  std::optional<Rotary> rotary_;
};

}  // namespace localbatch
