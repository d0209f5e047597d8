#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/decoder.h"
#include "nn/row_cut.h"
#include "nn/sequence_sums.h"
#include "nn/team.h"

namespace localbatch {

/// The begin of a decoder: h_t = E[i_t], plus P[t] where positions are learned. Its gradient adds
/// up the diffs of all places where a token stands, in their order.
class TokenEmbedding {
 public:
  TokenEmbedding(const DecoderSettings& settings, const DecoderPlaces& places);

  /// `stream` is that of these rows.
  void forward(const RowBlock& rows, std::span<const std::int32_t> tokens, const float* parameters,
               float* stream) const;

  /// What the backward pass works on.
  struct Diffs {
    std::span<const std::int32_t> tokens;
    const float* stream = nullptr;  ///< [row][width]
    /// Where the head is tied and norms are wanted: for each row t with token i_t, the gradient by
    /// E[i_t] that the head has already given to this sequence. A sequence's gradient by E is a
    /// sum of both, so its norm has their inner product.
    const float* of_head = nullptr;
  };

  /// Bytes of thread frames that gradient() takes.
  std::size_t scratch() const;
  /// Sorts the tokens; to be called before the units of gradient().
  void begin_gradient(std::span<const std::int32_t> tokens);
  int gradient_units(const GradientPass& pass, int sequences) const;
  void gradient(int unit, Thread& thread, const Diffs& diffs, const GradientPass& pass) const;

 private:
  void add_tokens(int unit, const Diffs& diffs, const GradientPass& pass) const;
  void add_positions(const Diffs& diffs, const GradientPass& pass) const;
  void add_sequence(int unit, int sequence, Thread& thread, const Diffs& diffs,
                    const GradientPass& pass) const;
  int token_units() const;

  const DecoderSettings settings_;
  std::size_t embedding_;
  std::optional<std::size_t> positions_;
  std::vector<std::int32_t> rows_;           ///< of all tokens, sorted by token
  std::vector<std::size_t> first_of_token_;  ///< place in rows_, by token, and the end
};

}  // namespace localbatch
