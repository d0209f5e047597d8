#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "batching/batch_size_controller.h"
#include "batching/batch_size_limits.h"
#include "batching/moving_average.h"
#include "comm/communicator.h"
#include "optim/learning_rate.h"
#include "optim/learning_rate_coupling.h"
#include "optim/outer_optimizer.h"
#include "optim/sync_interval.h"
#include "train/gradient_meter.h"
#include "train/worker.h"

namespace localbatch {

/// What the experiment chose: everything that all workers share and nobody changes.
struct LocalSgd {
  std::int64_t max_samples = 0;  ///< budget of all workers together
  int initial_local_batch_size = 1;
  LearningRate learning_rate;
  LearningRateCoupling learning_rate_coupling;
  SyncInterval sync_interval;
  BatchSizeControllerMade controller;
  BatchSizeLimits limits;
  StatisticsOptions statistics = {};
  AuditOptions audit = {};
  StatisticsNeeds observer_needs = {};  ///< of those who look at statistics beside the controller
  std::optional<LinearSteps> inner_steps = {};  ///< if the inner optimizer's are linear
  StatePolicy velocity_at_sync = StatePolicy::kKeep;
};

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
};

/// What happened in one round; the same on every worker.
struct RoundRecord {
  std::int64_t round = 0;    ///< counted from 1
  std::int64_t samples = 0;  ///< processed after it
  int local_steps = 0;       ///< H
  int local_batch_size = 0;  ///< b
  double learning_rate = 0;  ///< of the first local step
  double loss = 0;           ///< mean over workers and local steps
  double drift = 0;          ///< mean squared distance of the workers from their average
  /// What a test or the learning rate looked at, and the same before moving averages.
  std::optional<GradientStatistics> statistics = {}, measured = {};
  std::optional<GradientStatistics> observed = {};  ///< also when only others look
  std::optional<Audit> audit = {};
  Wish wish = {};
  BatchSizeDecision decision = {};
};

enum class Outcome { kFinished, kDiverged };

/// Called by every worker after every round; may use the communicator.
using RoundObserver = std::function<void(const RoundRecord&)>;

/// Local SGD with adaptive local batch sizes (method.md 1.3), as one worker sees it: rounds of H
/// local steps, an average of the parameters, and a test that may let the local batch grow. Starts
/// where `progress` says and keeps it up to date. The last round is cut to the local steps that the
/// budget allows. Ends early, as kDiverged, after a round whose loss or parameters are not finite.
/// All workers must start with equal parameters.
Outcome local_sgd(const LocalSgd& method, Worker& worker, OuterOptimizer& outer_optimizer,
                  Communicator& comm, Progress& progress, const RoundObserver& observe);

}  // namespace localbatch
