#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/stopwatch.h"
#include "nn/decoder_block.h"
#include "nn/network.h"
#include "nn/token_embedding.h"
#include "nn/token_head.h"
#include "nn/token_predictor.h"

namespace localbatch {

/// The engine of decoders. Values are rows of tokens, products are oneDNN's, all else is our own. T
/// is the type of the factors of matrix products, float or Bfloat16; the residual stream,
/// normalizations, attention and all sums are f32.
template <class T>
class DecoderNetwork final : public Network, public TokenPredictor {
 public:
  DecoderNetwork(const DecoderModel& model, const ExecutionOptions& options);

  const Model& model() const override { return model_; }
  int max_samples() const override { return max_samples_; }

  void to_canonical(std::span<const float> parameters, std::span<float> canonical) const override;
  void from_canonical(std::span<const float> canonical, std::span<float> parameters) const override;
  void load(std::span<const float> parameters, std::span<float> running_moments) override;
  double train(const Batch& batch, double weight, std::span<float> gradient,
               GradientUse use) override;
  double sample_gradients(const Batch& batch, std::span<float> gradient, GradientUse use,
                          const SampleSums& sums) override;
  void measure_moments(const Batch& /*batch*/) override {}
  Evaluation evaluate(const Batch& batch) override;
  void predict(std::span<const std::int32_t> tokens, std::span<float> logits) override;
  void for_each(int count, const std::function<void(int)>& work) override;
  double forward_seconds() const override { return forward_.seconds(); }
  double backward_seconds() const override { return backward_.seconds(); }
  PhaseSeconds phase_seconds() const override;

  static std::size_t predicted_bytes(const DecoderModel& model, const ExecutionOptions& options);

 private:
  enum class Allocation { kNow, kNever };
  DecoderNetwork(const DecoderModel& model, const ExecutionOptions& options, Allocation allocation);

  std::size_t thread_bytes() const;
  void allocate();
  /// Checks a batch and gives its tokens.
  std::span<const std::int32_t> tokens_of(const Batch& batch) const;
  void forward(const RowCut& cut, std::span<const std::int32_t> tokens);
  void backward(const RowCut& cut, std::span<const std::int32_t> tokens, const GradientPass& pass);
  double compute_gradients(const Batch& batch, double weight,
                           std::span<const double> sequence_weights, const GradientPass& pass);
  /// The stream behind a block.
  TokenArray<float>& stream_after(std::size_t block);

  const DecoderModel model_;
  DecoderSettings settings_;
  std::size_t parameter_count_;  ///< the model would make a list of its tensors in every step
  int max_samples_;
  double label_smoothing_;
  Team team_;
  MatrixProducts products_;
  TokenEmbedding embedding_;
  std::vector<std::unique_ptr<DecoderBlock<T>>> blocks_;
  TokenHead<T> head_;
  std::vector<BlockActivations<T>> activations_;  ///< by block
  TokenArray<float> last_stream_, diff_stream_;
  BlockDiffs<T> diffs_;
  std::span<const float> parameters_;
  Stopwatch loading_, forward_, backward_, evaluation_;
};

extern template class DecoderNetwork<float>;
extern template class DecoderNetwork<Bfloat16>;

}  // namespace localbatch
