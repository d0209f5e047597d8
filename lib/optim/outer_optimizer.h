#pragma once

#include <functional>
#include <memory>
#include <span>

#include "core/options.h"

namespace localbatch {

/// The rule of a synchronization: how the global parameters move, given the mean of the workers'
/// ones. Every worker runs the same rule on the same values.
class OuterOptimizer {
 public:
  virtual ~OuterOptimizer() = default;

  /// `global` holds x_k on entry and x_{k+1} on return. `learning_rate` is that of the round's last
  /// local step.
  virtual void step(std::span<float> global, std::span<const float> mean_local,
                    double learning_rate) = 0;

  /// Everything besides `global` that the next step depends on.
  virtual std::span<float> state() = 0;
};

/// Makes an optimizer for so many parameters.
using OuterOptimizerFactory = std::function<std::unique_ptr<OuterOptimizer>(std::size_t)>;

/// The defaults are those of OpenDiLoCo.
struct NesterovSettings {
  double learning_rate = 0.7;  ///< factor of the outer step
  double momentum = 0.9;
};

/// The defaults are those of FairScale.
struct SlowmoSettings {
  double learning_rate = 1;  ///< factor of the outer step
  double momentum = 0.5;
};

/// The betas and tau are those of the paper, as recalled and as public implementations have them.
struct OuterAdamSettings {
  double learning_rate = 0.01;  ///< about by how much a parameter moves in a round
  double beta1 = 0.9, beta2 = 0.99;
  double tau = 1e-3;  ///< of moves that are much smaller the step is a share
};

// Every part can be made from its settings, and from the keys of an experiment file.
OuterOptimizerFactory make_averaging();
OuterOptimizerFactory make_averaging(Options& options);
OuterOptimizerFactory make_nesterov(const NesterovSettings& settings);
OuterOptimizerFactory make_nesterov(Options& options);
OuterOptimizerFactory make_slowmo(const SlowmoSettings& settings);
OuterOptimizerFactory make_slowmo(Options& options);
OuterOptimizerFactory make_outer_adam(const OuterAdamSettings& settings);
OuterOptimizerFactory make_outer_adam(Options& options);

std::span<const PartRow<OuterOptimizerFactory>> outer_optimizer_table();

}  // namespace localbatch
