#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/options.h"
#include "nn/execution.h"

namespace localbatch {

class Network;
class TokenPredictor;

/// A tensor inside one of a worker's flat arrays.
struct TensorView {
  std::string name;       ///< "layer1.0.conv1.weight"
  std::vector<int> dims;  ///< canonical order: weights are [out][in][row][column] or [out][in]
  std::size_t layer = 0;  ///< index of the layer it belongs to
  std::size_t offset = 0;
  std::size_t size = 0;
  /// A matrix between hidden features, [out][all else]: no embedding, no classifier, nothing that
  /// meets the data itself. Optimizers of matrices look at these.
  bool hidden_matrix = false;
  /// Of a hidden matrix in a worker's arrays: outputs that lie interleaved, see
  /// ParameterLayout::Matrix.
  int interleaved = 1;
};

/// Sum of the sizes.
std::size_t total_size(std::span<const TensorView> tensors);

/// A description of what is trained, which owns no parameters. All that training, forecasts and
/// records need of a kind of network is here; make_network() gives the engine that computes it.
class Model {
 public:
  virtual ~Model() = default;

  virtual SampleShape sample() const = 0;

  /// Names of what the flat arrays of a worker hold, in order: the trained parameters, and the
  /// running moments (means and variances) of batch norm, for which nobody computes a gradient.
  virtual std::vector<TensorView> parameter_tensors() const = 0;
  virtual std::vector<TensorView> running_moment_tensors() const = 0;
  std::size_t parameter_count() const { return total_size(parameter_tensors()); }
  std::size_t running_moment_count() const { return total_size(running_moment_tensors()); }

  /// Starting values in canonical order, a function of (model, seed).
  virtual void initialize_parameters(std::uint64_t seed, std::span<float> canonical) const = 0;
  /// Means 0, variances 1.
  virtual void initialize_running_moments(std::span<float> moments) const = 0;

  /// Multiplications, each with its addition, of one sample's forward pass. The backward pass does
  /// about twice as many.
  virtual std::int64_t multiply_adds() const = 0;

  /// How each convolution is computed, in the order of the forward pass; empty for a model without
  /// convolutions. Throws an InputError when a kernel override is impossible.
  virtual std::vector<LayerKernel> kernels(const ExecutionOptions& options) const = 0;

  /// Throws an InputError when a kernel override is impossible.
  virtual std::unique_ptr<Network> make_network(const ExecutionOptions& options) const = 0;

  /// For models of tokens; null where samples are none. The parameters, in canonical order, must
  /// stay where they are.
  virtual std::unique_ptr<TokenPredictor> make_predictor(const ExecutionOptions& options,
                                                         std::span<const float> canonical) const;

  /// Bytes that such a network allocates at most: activations, their gradients, copies of weights,
  /// scratch, and what sums over single samples take.
  /// The worker's flat arrays are not among them.
  virtual std::size_t predicted_bytes(const ExecutionOptions& options) const = 0;

 protected:
  Model() = default;
  Model(const Model&) = default;
  Model& operator=(const Model&) = default;
};

/// A model as an experiment file describes it.
struct ModelFactory {
  /// Makes the model once the data set has told what its samples look like. Throws an InputError
  /// when it has no use for such samples.
  std::function<std::unique_ptr<const Model>(const SampleShape& sample)> make;

  // What is true of the layers, whatever the samples: settings for them are checked before any data
  // are read.
  bool has_bfloat16 = false;          ///< can multiply in bf16
  bool has_3x3_convolutions = false;  ///< with stride 1, so that Winograd's algorithm can do them
  bool has_batch_norm = false;        ///< which couples the samples of a micro-batch
};

/// resnet, llama, gpt, mlp, softmax_regression.
std::span<const PartRow<ModelFactory>> model_table();

// The factories behind model_table().
ModelFactory make_resnet(Options& options);
ModelFactory make_llama(Options& options);
ModelFactory make_gpt(Options& options);
ModelFactory make_mlp(Options& options);
ModelFactory make_softmax_regression(Options& options);

}  // namespace localbatch
