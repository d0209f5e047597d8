#pragma once

#include <functional>
#include <span>

#include "core/part_table.h"

namespace localbatch {

/// What the learning rate may depend on when the local batch has grown.
struct CouplingContext {
  double growth = 1;  ///< local batch size / initial one
  /// Latest statistics of gradients, 0 before the first: the variance of the mean gradient of all
  /// workers' initial batches, and the squared norm of the gradient.
  double initial_variance = 0;
  double squared_norm = 0;
};

/// What the learning rate is multiplied by.
struct LearningRateCoupling {
  std::function<double(const CouplingContext&)> factor = [](const CouplingContext&) { return 1.0; };
  bool needs_statistics = false;

  double operator()(const CouplingContext& context) const { return factor(context); }
};

/// none, linear, sqrt, adascale.
std::span<const PartRow<LearningRateCoupling>> learning_rate_coupling_table();

}  // namespace localbatch
