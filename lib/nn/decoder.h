#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nn/gate.h"
#include "nn/model.h"

namespace localbatch {

/// Normal starting values of all matrices of a decoder with L blocks of width d. Scales start at 1,
/// biases and shifts at 0.
enum class DecoderInitialization {
  kGpt2,   ///< deviation 0.02, of the two projections back to the stream 0.02/sqrt(2 L) (nanoGPT)
  kLitgpt  ///< variance 2/(5 d), of these projections deviation 1/(sqrt(d) L) (LitGPT)
};

/// The numbers of a decoder-only transformer, which predicts every next token of a window from the
/// tokens before it. h is the residual stream, d its width, and every block adds to it twice:
///
///   h += Wo attention(norm(h)),   h += W2 gate(W1 norm(h)),   logits = Wout norm(h).
///
/// Both known kinds are settings of it: Llama (Touvron et al. 2023; grouped queries as in Llama 2)
/// has RMSNorm, rotary positions and SwiGLU; GPT-2 (Radford et al. 2019) LayerNorm, learned
/// positions and GELU.
struct DecoderSettings {
  int layers = 4;
  int width = 128;
  int heads = 4;            ///< of queries
  int key_value_heads = 4;  ///< divides `heads`: so many query heads share keys and values
  int head_size = 32;
  int hidden = 352;    ///< features of the feed-forward part
  int vocabulary = 0;  ///< tokens are 0 .. vocabulary - 1
  int length = 0;      ///< T, tokens of a sequence
  int positions = 0;   ///< rows of the table of learned positions; 0: rotary positions
  double rotary_base = 10000;
  double epsilon = 1e-5;       ///< of the normalizations
  bool centered_norm = false;  ///< LayerNorm, else RMSNorm
  Gate gate = Gate::kSilu;
  bool bias = false;        ///< in linear layers and, as shift, in normalizations
  bool tied_head = true;    ///< the head's weights are the embedding
  bool llama_names = true;  ///< tensors are named as in Hugging Face's Llama, else as in nanoGPT
  DecoderInitialization initialization = DecoderInitialization::kGpt2;

  int query_features() const { return heads * head_size; }
  int key_value_features() const { return key_value_heads * head_size; }
  /// Queries, keys and values of a token, one behind the other.
  int attention_features() const { return query_features() + 2 * key_value_features(); }
  /// What the first matrix of the feed-forward part gives.
  int gate_features() const { return gate_inputs(gate) * hidden; }
};

/// Where the parameters of a linear layer lie in the flat array: W is [outputs][inputs]. Matrices
/// that read the same input (queries, keys and values; a gate and what it gates) lie together and
/// are one layer.
struct LinearPlace {
  int inputs = 0, outputs = 0;
  std::size_t weight = 0;
  std::optional<std::size_t> bias = {};

  std::size_t weight_size() const {
    return static_cast<std::size_t>(inputs) * static_cast<std::size_t>(outputs);
  }
};

struct NormPlace {
  std::size_t scale = 0;
  std::optional<std::size_t> shift = {};
};

struct BlockPlaces {
  NormPlace attention_norm;
  LinearPlace attention_input;   ///< Wq, Wk, Wv
  LinearPlace attention_output;  ///< Wo
  NormPlace feed_forward_norm;
  LinearPlace feed_forward_input;   ///< W1, and W3 of SwiGLU
  LinearPlace feed_forward_output;  ///< W2
};

struct DecoderPlaces {
  std::size_t embedding = 0;  ///< [vocabulary][width]
  std::optional<std::size_t> positions = {};
  std::vector<BlockPlaces> blocks;
  NormPlace final_norm;
  LinearPlace head;  ///< of a tied head: the embedding
};

/// A decoder-only transformer. A sample is a sequence of T tokens, and its loss is the mean over
/// its T targets. Memory has the order of files.
class DecoderModel final : public Model {
 public:
  explicit DecoderModel(const DecoderSettings& settings);

  const DecoderSettings& settings() const { return settings_; }
  const DecoderPlaces& places() const { return places_; }

  SampleShape sample() const override {
    return {.input = TokenWindow{settings_.length}, .num_classes = settings_.vocabulary};
  }
  std::vector<TensorView> parameter_tensors() const override { return tensors_; }
  std::vector<TensorView> running_moment_tensors() const override { return {}; }
  void initialize_parameters(std::uint64_t seed, std::span<float> canonical) const override;
  void initialize_running_moments(std::span<float> /*moments*/) const override {}

  /// Counts the matrices with the head, and of attention the half of its square that causality
  /// leaves.
  std::int64_t multiply_adds() const override;

  std::vector<LayerKernel> kernels(const ExecutionOptions& /*options*/) const override {
    return {};
  }
  std::unique_ptr<Network> make_network(const ExecutionOptions& options) const override;
  std::unique_ptr<TokenPredictor> make_predictor(const ExecutionOptions& options,
                                                 std::span<const float> canonical) const override;
  std::size_t predicted_bytes(const ExecutionOptions& options) const override;

 private:
  struct InitialValue {
    double mean = 0, deviation = 0;
  };
  std::size_t add(std::string name, std::vector<int> dims, const InitialValue& initial);
  NormPlace add_norm(const std::string& name);
  LinearPlace add_linear(const std::vector<std::pair<std::string, int>>& parts, int inputs,
                         double deviation);
  void add_block(int layer);

  DecoderSettings settings_;
  DecoderPlaces places_;
  std::vector<TensorView> tensors_;
  std::vector<InitialValue> initial_values_;  ///< by tensor
};

}  // namespace localbatch
