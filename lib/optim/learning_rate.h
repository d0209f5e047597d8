#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/options.h"

namespace localbatch {

/// The learning rate as a pure function of the samples that all workers together have processed, so
/// that neither batch sizes nor a resumed run can change it. `max_samples` is the budget of the
/// run.
using LearningRate = std::function<double(std::int64_t samples, std::int64_t max_samples)>;

/// constant, cosine, linear, multistep; each with a linear warm-up from 0 to the peak.
std::span<const PartRow<LearningRate>> learning_rate_table();

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
