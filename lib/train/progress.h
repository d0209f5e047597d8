#pragma once

#include <cstdint>
#include <vector>

#include "batching/gradient_statistics.h"
#include "core/state.h"
#include "optim/momentum_response.h"

namespace localbatch {

/// Where a run stands between two rounds.
struct Progress {
  std::int64_t round = 0;        ///< rounds completed
  std::int64_t samples = 0;      ///< processed by all workers together
  int local_batch_size = 1;      ///< of the next round
  double first_loss = 0;         ///< of the first round
  double last_loss = 0;          ///< of the last one
  MovingAverages averages = {};  ///< of statistics
  MomentumCarry carry = {};      ///< what the workers' velocities hold
  /// Of the latest statistics, 0 before the first: variance of a sample's gradient and unbiased
  /// squared norm.
  double variance = 0, squared_norm = 0;
  /// This worker's own, where parameters travel rounded: see ParameterAverage.
  std::vector<float> residual = {};
};

/// What is the same on all workers.
void visit_state(StateVisitor& visitor, Progress& progress);
/// What is this worker's own.
void visit_own_state(StateVisitor& visitor, Progress& progress);

}  // namespace localbatch
