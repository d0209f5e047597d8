#pragma once

#include <functional>
#include <memory>
#include <span>

#include "core/options.h"

namespace localbatch {

/// What the step after a round depends on beside the parameters.
struct OuterStep {
  double inner_rate = 0;  ///< the learning rate of the round's last local step
  double elapsed = 0;     ///< share of the run's budget that was processed before the round
};

/// The learning rate of outer steps, a factor of what each rule moves by: it falls along half a
/// cosine to `decay_to` of itself at the end of the budget.
struct OuterRate {
  double initial = 1;
  double decay_to = 1;  ///< 1: it stays

  double at(double elapsed) const;
};

/// The rule of a synchronization: how the global parameters move, given the mean of the workers'
/// ones. Every worker runs the same rule on the same values.
class OuterOptimizer {
 public:
  virtual ~OuterOptimizer() = default;

  /// `global` holds x_k on entry and x_{k+1} on return.
  virtual void step(std::span<float> global, std::span<const float> mean_local,
                    const OuterStep& size) = 0;

  /// Everything besides `global` that the next step depends on.
  virtual std::span<float> state() = 0;
};

/// Makes an optimizer for so many parameters.
using OuterOptimizerFactory = std::function<std::unique_ptr<OuterOptimizer>(std::size_t)>;

/// The defaults are those of OpenDiLoCo.
struct NesterovSettings {
  OuterRate learning_rate = {.initial = 0.7};
  double momentum = 0.9;
};

/// The defaults are those of FairScale.
struct SlowmoSettings {
  OuterRate learning_rate = {.initial = 1};
  double momentum = 0.5;
};

/// The betas and tau are those of the paper, as recalled and as public implementations have them.
struct OuterAdamSettings {
  OuterRate learning_rate = {.initial = 0.01};  ///< about how far a parameter moves in a round
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
