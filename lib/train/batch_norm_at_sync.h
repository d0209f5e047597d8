#pragma once

#include "core/options.h"

namespace localbatch {

/// What happens to the running statistics of batch norm, which local steps move but never look at.
/// The model that is evaluated needs some.
struct BatchNormAtSync {
  enum class Policy {
    kAverage,    ///< averaged at every synchronization
    kLocal,      ///< each worker keeps its own; evaluated with their mean
    kReset,      ///< start anew in every round; evaluated with the mean before that
    kRecompute,  ///< local, and evaluated with those of training images under the averaged model
  };
  Policy policy = Policy::kAverage;
  int batches = 0;  ///< micro-batches of all workers together that kRecompute takes
};

/// Reads `batch_norm_at_sync` and `batch_norm_batches`.
BatchNormAtSync read_batch_norm_at_sync(Options& options);

}  // namespace localbatch
