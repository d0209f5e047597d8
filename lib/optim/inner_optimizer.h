#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/options.h"
#include "core/vector_math.h"

namespace localbatch {

/// The rule of a local step: how one worker moves its parameters along its gradient.
class InnerOptimizer {
 public:
  virtual ~InnerOptimizer() = default;

  /// One update of `parameters` (f32, any number, always the same one). The gradient is left
  /// unchanged. How the arrays are cut into pieces has no influence on the result.
  virtual void step(std::span<float> parameters, std::span<const float> gradient,
                    double learning_rate, const ParallelFor& parallel_for) = 0;
  void step(std::span<float> parameters, std::span<const float> gradient, double learning_rate) {
    step(parameters, gradient, learning_rate, for_on_this_thread);
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
  std::function<std::unique_ptr<InnerOptimizer>(std::size_t parameter_count)> make;
  std::optional<LinearSteps> linear = std::nullopt;  ///< none: the steps are not linear
};

struct SgdSettings {
  double momentum = 0;  ///< 0: plain SGD without state
  double weight_decay = 0;
  bool nesterov = false;  ///< needs momentum above 0
  StatePolicy at_sync = StatePolicy::kKeep;
};

struct AdamwSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  StatePolicy at_sync = StatePolicy::kKeep;
};

// Every part can be made from its settings, and from the keys of an experiment file.
InnerOptimizerFactory make_sgd(const SgdSettings& settings);
InnerOptimizerFactory make_sgd(Options& options);
InnerOptimizerFactory make_adamw(const AdamwSettings& settings);
InnerOptimizerFactory make_adamw(Options& options);

std::span<const PartRow<InnerOptimizerFactory>> inner_optimizer_table();

/// Reads `at_sync`, which every inner optimizer has.
StatePolicy read_at_sync(Options& options, std::string_view meaning);

}  // namespace localbatch
