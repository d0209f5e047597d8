#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/batch.h"
#include "nn/decoder_block.h"
#include "nn/team.h"

namespace localbatch {

/// The end of a decoder: the last normalization, the logits of all tokens, and the loss. The logits
/// of a micro-batch can take more memory than the rest of the network, so they exist for a chunk of
/// its rows at a time: the loss and its diffs follow at once, as the weight of the loss is known.
template <class T>
class TokenHead {
 public:
  TokenHead(MatrixProducts& products, const DecoderSettings& settings, const DecoderPlaces& places,
            int max_sequences);

  /// With what norms of single sequences take, for which it is allocated when they are first
  /// wanted.
  std::size_t bytes() const;
  void allocate();
  std::size_t scratch() const;
  void load(std::span<const float> parameters);

  /// Rows whose loss is looked at, and how.
  struct Request {
    std::span<const std::int32_t> tokens, targets;
    double weight = 1;  ///< of a target's loss in what is differentiated
    double label_smoothing = 0;
    std::span<const double> sequence_weights = {};  ///< factors of that; empty: 1
  };

  /// Returns the sum of the losses. `stream` is what the last block gives; `diff` gets the diff of
  /// it. Gives the gradient by the head's own weights (in a tied model the embedding still has to
  /// add its part) and by the last normalization.
  double train(Team& team, const RowCut& cut, const Request& request, TokenArray<float>& stream,
               TokenArray<float>& diff, const GradientPass& pass);

  /// Targets below 0 are left out.
  Evaluation evaluate(Team& team, const RowCut& cut, std::span<const std::int32_t> targets,
                      TokenArray<float>& stream);

  /// The logits of one row of the stream.
  void logits(Thread& thread, const float* stream, std::span<float> logits) const;

  /// After train() with the same wishes: see TokenEmbedding::Diffs::of_head.
  const float* gradient_by_own_tokens(const GradientPass& pass) {
    return wants_own_tokens(pass) ? own_tokens_.row(0) : nullptr;
  }

 private:
  TokenNorm norm() const { return norm_of(settings_, norm_place_, parameters_); }
  int chunk_blocks(const RowCut& cut, bool whole_sequences) const;
  std::size_t max_chunk_rows(bool whole_sequences) const;
  T* diff_logits(int row_of_chunk);
  void allocate_logits(std::size_t rows);
  void train_block(Thread& thread, const RowBlock& rows, int row_of_chunk, const Request& request,
                   TokenArray<float>& stream, TokenArray<float>& diff);
  void add_gradient(Team& team, const RowCut& cut, int first_row, int rows,
                    const GradientPass& pass);
  void find_own_tokens(Team& team, int first_row, int rows, std::span<const std::int32_t> tokens);
  bool wants_own_tokens(const GradientPass& pass) const {
    return settings_.tied_head && pass.sums != nullptr && pass.sums->wants_norms();
  }

  MatrixProducts& products_;
  DecoderSettings settings_;
  NormPlace norm_place_;
  TokenLinear<T> layer_;
  WeightGradient<T> gradient_;
  int max_sequences_;
  TokenArray<T> normalized_;
  NormParts norm_parts_;
  TokenArray<float> logits_;   ///< of a chunk
  TokenArray<T> diff_logits_;  ///< of a chunk; in f32 in place of the logits
  TokenArray<float> own_tokens_;
  std::size_t allocated_logits_ = 0;  ///< rows
  std::vector<double> losses_;        ///< by row
  const float* parameters_ = nullptr;
};

extern template class TokenHead<float>;
extern template class TokenHead<Bfloat16>;

}  // namespace localbatch
