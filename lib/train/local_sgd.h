#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "batching/batch_size_controller.h"
#include "batching/batch_size_limits.h"
#include "comm/communicator.h"
#include "optim/learning_rate.h"
#include "optim/outer_optimizer.h"
#include "optim/sync_interval.h"
#include "train/meter.h"
#include "train/progress.h"
#include "train/worker.h"

namespace localbatch {

/// What the experiment chose: everything that all workers share and nobody changes.
struct LocalSgd {
  std::int64_t max_samples = 0;  ///< budget of all workers together
  int initial_local_batch_size = 1;
  LearningRate learning_rate;
  LearningRateCoupling learning_rate_coupling;
  SyncInterval sync_interval;
  std::shared_ptr<const BatchSizeController> controller;
  BatchSizeLimits limits;
  StatisticsOptions statistics = {};
  AuditOptions audit = {};
  StatisticsNeeds observer_needs = {};  ///< of those who look at statistics beside the controller
  std::optional<LinearSteps> inner_steps = {};  ///< if the inner optimizer's are linear
  StatePolicy velocity_at_sync = StatePolicy::kKeep;
  Payload payload = Payload::kFloat32;  ///< what parameters travel as
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
  /// Where parameters travel rounded: mean squared norm of what this took away.
  std::optional<double> residual = {};
  /// What a test or the learning rate looked at, and the same before moving averages.
  std::optional<GradientStatistics> statistics = {}, measured = {};
  std::optional<GradientStatistics> observed = {};  ///< also when only others look
  std::optional<Audit> audit = {};
  Wanted wanted = {};
  BatchSizeDecision decision = {};
  bool is_to_be_saved = false;  ///< somebody asks for a checkpoint after this round
};

enum class Outcome { kFinished, kDiverged, kStopped };

/// What a worker asks for at the end of a round; all get what one of them asks for.
struct Interruption {
  bool save = false;  ///< a checkpoint
  bool stop = false;  ///< and the end of the run after it
};

/// Called by every worker after every round; may use the communicator.
using RoundObserver = std::function<void(const RoundRecord&)>;

/// Local SGD with adaptive local batch sizes (method.md 1.3), as one worker sees it: rounds of H
/// local steps, an average of the parameters, and a test that may let the local batch grow. Starts
/// where `progress` says and keeps it up to date. The last round is cut to the local steps that the
/// budget allows. Ends early, as kDiverged, after a round whose loss or parameters are not finite,
/// and, as kStopped, after a round in which a worker's `interruption` says so. All workers must
/// start with equal parameters.
Outcome local_sgd(
    const LocalSgd& method, Worker& worker, OuterOptimizer& outer_optimizer, Communicator& comm,
    Progress& progress, const RoundObserver& observe,
    const std::function<Interruption()>& interruption = [] { return Interruption(); });

}  // namespace localbatch
