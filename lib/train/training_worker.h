#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/state.h"
#include "core/stopwatch.h"
#include "nn/model.h"
#include "train/worker.h"

namespace localbatch {

/// Where a worker's time goes, in seconds since it was made.
struct WorkerSeconds {
  Stopwatch slot;  ///< waiting for a free execution slot
  Stopwatch data, gradient, optimizer;
  Stopwatch statistics;              ///< of micro-batches and single samples
  double forward = 0, backward = 0;  ///< the two halves of `gradient`
};

/// Where a point x stands on an objective F whose minimum F* is known.
struct ObjectiveGap {
  double suboptimality = 0;          ///< F(x) - F*
  double squared_gradient_norm = 0;  ///< |grad F(x)|^2
  /// |x - x*|^2; empty where F has no minimizer to name.
  std::optional<double> squared_distance = {};
  /// Means over all local steps t of the run so far, at the mean xhat_t of the workers' points
  /// before the step (method.md 3.2); empty unless the steps were traced.
  std::optional<double> mean_suboptimality = {}, mean_squared_gradient_norm = {};
};

/// What an evaluation of the averaged model finds; empty is what its kind of model does not have.
struct TestResult {
  double loss = 0;  ///< mean over the test set, or F(x)
  std::optional<std::int64_t> correct, images;
  std::optional<ObjectiveGap> gap = {};
};

/// A trained model as files want it: arrays one behind the other, in canonical order.
struct FinalModel {
  std::vector<TensorView> tensors;
  std::vector<float> values;
};

/// A worker that a run can watch, and whose model it can write.
class TrainingWorker : public Worker {
 public:
  /// Of this worker's parameters; all workers must hold the same. Collective, and all get the same.
  virtual TestResult evaluate(Communicator& comm) = 0;

  /// Collective; the result is for worker 0, the others get an empty one.
  virtual FinalModel final_model(Communicator& comm) = 0;

  /// All that the next round depends on and that belongs to this worker alone; the parameters are
  /// the same on all workers after a synchronization.
  virtual void visit_state(StateVisitor& visitor) = 0;

  virtual const WorkerSeconds& seconds() const = 0;
};

}  // namespace localbatch
