#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "nn/attention.h"
#include "nn/decoder.h"
#include "nn/token_array.h"
#include "nn/token_linear.h"
#include "nn/weight_gradient.h"

namespace localbatch {

/// A normalization with these parameters.
TokenNorm norm_of(const DecoderSettings& settings, const NormPlace& place, const float* parameters);

/// Gives the gradients of scale and shift, once all segments have their parts.
void finish_norm(const RowCut& cut, NormParts& parts, const NormPlace& place, int width, int unit,
                 const GradientPass& pass);

/// What a forward pass leaves of a block for the backward pass. The probabilities of attention, the
/// normalized stream and the output of the gate are computed again.
template <class T>
struct BlockActivations {
  explicit BlockActivations(const DecoderSettings& settings);

  /// Calls visit(array) for every one.
  template <class Visit>
  void for_each(const Visit& visit) {
    visit(input);
    visit(attention_inputs);
    visit(attended);
    visit(log_sum_exp);
    visit(middle);
    visit(gate_inputs);
  }

  TokenArray<float> input;             ///< the residual stream as it comes in
  TokenArray<float> attention_inputs;  ///< queries, keys, values, not rotated
  TokenArray<T> attended;              ///< the heads' outputs
  TokenArray<float> log_sum_exp;       ///< of the scores, [head][token] for each sequence
  TokenArray<float> middle;            ///< the stream between the two halves of the block
  TokenArray<float> gate_inputs;
};

/// What the backward pass of a block gives to the gradients of its weights, and sums of single
/// segments. All blocks take turns with it.
template <class T>
struct BlockDiffs {
  explicit BlockDiffs(const DecoderSettings& settings);

  template <class Visit>
  void for_each(const Visit& visit) {
    visit(attended);
    visit(attention_normalized);
    visit(attention_inputs);
    visit(attention_output);
    visit(feed_forward_normalized);
    visit(gate_inputs);
    visit(gated);
    visit(feed_forward_output);
  }
  /// The same for those with a row for every segment.
  template <class Visit>
  void for_each_part(const Visit& visit) {
    for (NormParts* const parts : {&attention_norm, &feed_forward_norm})
      for (TokenArray<float>& part : *parts) visit(part);
  }

  TokenArray<float> attended;                        ///< diff
  TokenArray<T> attention_normalized;                ///< value
  TokenArray<T> attention_inputs, attention_output;  ///< diffs
  TokenArray<T> feed_forward_normalized, gated;      ///< values
  TokenArray<T> gate_inputs, feed_forward_output;    ///< diffs
  NormParts attention_norm, feed_forward_norm;
};

/// One block of a decoder: attention and feed-forward part, each with its normalization and added
/// to the residual stream. All functions but load() are for one block of rows, or for one sequence
/// and key/value head, and may run on several threads at once.
template <class T>
class DecoderBlock {
 public:
  DecoderBlock(MatrixProducts& products, const DecoderSettings& settings,
               const BlockPlaces& places);

  std::size_t copy_bytes() const;
  /// Bytes of thread frames that a call takes, for blocks of so many rows.
  std::size_t scratch(int block_rows) const;

  void load(std::span<const float> parameters);

  // Forward, in this order; the stream comes in `activations.input`.
  void attention_input(Thread& thread, const RowBlock& rows, BlockActivations<T>& activations);
  void attend(Thread& thread, int sequence, int key_value_head,
              BlockActivations<T>& activations) const;
  void feed_forward(Thread& thread, const RowBlock& rows, BlockActivations<T>& activations,
                    float* output) const;

  // Backward, in this order; `diff` is that of the stream, of these rows, and is replaced in place.
  void feed_forward_backward(Thread& thread, const RowBlock& rows, BlockActivations<T>& activations,
                             float* diff, BlockDiffs<T>& diffs) const;
  void attend_backward(Thread& thread, int sequence, int key_value_head,
                       BlockActivations<T>& activations, BlockDiffs<T>& diffs) const;
  void attention_input_backward(Thread& thread, const RowBlock& rows,
                                BlockActivations<T>& activations, float* diff,
                                BlockDiffs<T>& diffs) const;

  /// Gradients of all parameters of the block, in so many units.
  int gradient_units(const GradientPass& pass, int rows) const;
  void gradient(int unit, Thread& thread, const RowCut& cut, BlockActivations<T>& activations,
                BlockDiffs<T>& diffs, const GradientPass& pass) const;

 private:
  /// Wqkv, Wo, W1 and W2.
  struct Linear {
    TokenLinear<T> layer;
    WeightGradient<T> gradient;
  };
  TokenNorm norm(const NormPlace& place) const { return norm_of(settings_, place, parameters_); }
  LinearDiffs<T> diffs_of(int linear, int rows, BlockActivations<T>& activations,
                          BlockDiffs<T>& diffs) const;

  DecoderSettings settings_;
  BlockPlaces places_;
  Attention attention_;
  std::array<Linear, 4> linear_;
  const float* parameters_ = nullptr;
};

}  // namespace localbatch
