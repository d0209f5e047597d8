#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/options.h"
#include "core/vector_math.h"

namespace localbatch {

/// The parameters that an optimizer will move, as far as it looks at what they are.
struct ParameterLayout {
  /// Neighbouring places of the flat array.
  struct Stretch {
    std::size_t first = 0, size = 0;
  };

  /// A matrix between hidden features, as an optimizer of matrices sees it: a row for every output.
  /// Rows lie in blocks, interleaved; see place(). The columns' order is the engine's.
  struct Matrix {
    std::size_t first = 0, rows = 0, columns = 0;
    std::size_t block = 1;  ///< divides rows

    std::size_t size() const { return rows * columns; }
    /// Where an element lies in the flat array.
    std::size_t place(std::size_t row, std::size_t column) const {
      return first + (row / block * columns + column) * block + row % block;
    }
  };

  std::size_t size = 0;
  /// What belongs to tensors with fewer than two dimensions (biases, scales of normalizations), in
  /// order; all other places are those of matrices and filters.
  std::vector<Stretch> vectors = {};
  /// In order. Embeddings, classifiers and what meets the data are none.
  std::vector<Matrix> hidden_matrices = {};
};

/// What a local step takes beside its gradient.
struct StepSize {
  double learning_rate = 0;
  double gradient_factor = 1;  ///< multiplies the gradient first; see clip_factor()
};

/// The rule of a local step: how one worker moves its parameters along its gradient.
class InnerOptimizer {
 public:
  virtual ~InnerOptimizer() = default;

  /// One update of `parameters` (f32, any number, always the same one). The gradient is left
  /// unchanged. How the arrays are cut into pieces has no influence on the result.
  virtual void step(std::span<float> parameters, std::span<const float> gradient,
                    const StepSize& size, const ParallelFor& parallel_for) = 0;
  void step(std::span<float> parameters, std::span<const float> gradient, double learning_rate) {
    step(parameters, gradient, {.learning_rate = learning_rate}, for_on_this_thread);
  }

  /// Everything that the next step depends on: one flat array (momentum, or both moments) and the
  /// number of steps taken since it was zero.
  virtual std::span<float> state() = 0;
  virtual std::int64_t& steps() = 0;
};

/// The fate of a worker's optimizer state when parameters are averaged. The paper's choice is
/// not known (method.md 1.3), so every choice has a name.
enum class StatePolicy { kKeep, kAverage, kReset };

/// A rule whose steps are linear in the gradients: u = momentum u + g, x -= lr u, or with
/// Nesterov's form x -= lr (g + momentum u).
struct LinearSteps {
  double momentum = 0;
  bool nesterov = false;
};

/// Makes the optimizers of the workers, each with a state of its own.
struct InnerOptimizerFactory {
  StatePolicy at_sync = StatePolicy::kKeep;
  std::function<std::unique_ptr<InnerOptimizer>(const ParameterLayout& parameters)> make;
  std::optional<LinearSteps> linear = std::nullopt;  ///< none: the steps are not linear
  double clip_norm = 0;  ///< most that a gradient's norm may be in a step; 0: anything
};

/// What a gradient of this norm is multiplied by in a step: min(1, clip_norm/(norm + 1e-6)), or 1
/// where clip_norm is 0. As torch.nn.utils.clip_grad_norm_ of PyTorch.
double clip_factor(double norm, double clip_norm);

struct SgdSettings {
  double momentum = 0;  ///< 0: plain SGD without state
  double weight_decay = 0;
  bool nesterov = false;  ///< needs momentum above 0
  double clip_norm = 0;   ///< see InnerOptimizerFactory
  StatePolicy at_sync = StatePolicy::kKeep;
};

/// The parameters that weight decay shrinks.
enum class Decay {
  kAll,
  kMatrices,  ///< those of tensors with two or more dimensions
};

struct AdamwSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  Decay decay = Decay::kAll;
  double clip_norm = 0;  ///< see InnerOptimizerFactory
  StatePolicy at_sync = StatePolicy::kKeep;
};

/// How long the steps of matrices of different shapes are.
enum class MuonScale {
  kOriginal,    ///< sqrt(max(1, rows/columns))
  kMatchAdamw,  ///< 0.2 sqrt(max(rows, columns)): as long as steps of AdamW usually are
};

struct MuonSettings {
  double momentum = 0.95;
  bool nesterov = true;
  double weight_decay = 0.1;
  MuonScale scale = MuonScale::kOriginal;
  int newton_schulz_steps = 5;
  // For all other parameters: AdamW at this multiple of the learning rate.
  double adamw_rate = 0.015;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double clip_norm = 0;  ///< see InnerOptimizerFactory
  StatePolicy at_sync = StatePolicy::kKeep;
};

// Every part can be made from its settings, and from the keys of an experiment file.
InnerOptimizerFactory make_sgd(const SgdSettings& settings);
InnerOptimizerFactory make_sgd(Options& options);
InnerOptimizerFactory make_adamw(const AdamwSettings& settings);
InnerOptimizerFactory make_adamw(Options& options);
InnerOptimizerFactory make_muon(const MuonSettings& settings);
InnerOptimizerFactory make_muon(Options& options);

std::span<const PartRow<InnerOptimizerFactory>> inner_optimizer_table();

// Keys that every inner optimizer has.

/// Reads `clip_norm`.
double read_clip_norm(Options& options);
/// Reads `at_sync`.
StatePolicy read_at_sync(Options& options, std::string_view meaning);

}  // namespace localbatch
