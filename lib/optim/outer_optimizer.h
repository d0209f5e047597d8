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

using OuterOptimizerFactory = std::function<std::unique_ptr<OuterOptimizer>(std::size_t)>;

/// averaging, nesterov, slowmo.
std::span<const PartRow<OuterOptimizerFactory>> outer_optimizer_table();

}  // namespace localbatch
