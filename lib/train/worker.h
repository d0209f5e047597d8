#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "core/error.h"
#include "core/state.h"
#include "core/stopwatch.h"
#include "core/vector_math.h"
#include "nn/model.h"
#include "nn/network.h"
#include "train/audit.h"
#include "train/chunk_gradients.h"

namespace localbatch {

/// The length of a local step's gradient.
struct GradientLength {
  double norm = 0;
  bool clipped = false;  ///< the step was along a shorter one
};

/// One of the M participants of Local SGD, as the algorithm sees it.
class Worker {
 public:
  virtual ~Worker() = default;

  /// Draws `local_batch_size` samples, computes their mean gradient and moves the parameters along
  /// it. Returns the mean loss of these samples before the move. `chunks`, when there, listens to
  /// the gradient's micro-batches.
  virtual double local_step(int local_batch_size, double learning_rate, ChunkGradients* chunks) = 0;
  double local_step(int local_batch_size, double learning_rate) {
    return local_step(local_batch_size, learning_rate, nullptr);
  }

  virtual std::span<float> parameters() = 0;

  /// Of the latest local step: of the loss alone, without weight decay or momentum.
  virtual std::span<const float> gradient() const = 0;
  virtual GradientLength gradient_length() const {
    return {.norm = std::sqrt(squared_norm(gradient()))};
  }

  /// Looks at gradients g_i at the present parameters, of single samples or of micro-batches, as
  /// the request says: gives what `sums` asks for and, unless it is empty, the sum of the g_i times
  /// their weights in `sum`. What the worker does next is the same as without, but gradient() may
  /// be anything until the next local step.
  virtual void sample_gradients(const SampleRequest& request, const SampleSums& sums,
                                std::span<float> sum) = 0;

  /// The fewest samples whose mean gradients are independent of one another in local steps of this
  /// size: one, or a micro-batch where batch norm couples its samples.
  virtual int independent_samples(int /*local_batch_size*/) const { return 1; }

  /// For each sample of micro-batches that were requested, in their order: |g_i|^2 of its summand
  /// in the gradient of its micro-batch, which is not independent of the others.
  virtual void samples_in_batch(const SampleRequest& /*request*/,
                                std::span<double> /*squared_norms*/) {
    internal_error("only where batch norm couples samples they are looked at in their batch");
  }

  /// Adds the arrays of the worker's other state (momentum, batch-norm statistics) that are
  /// averaged together with the parameters.
  virtual void add_averaged_state(std::vector<Averaged>& averaged) = 0;

  /// Names of what those arrays are made of, as if they stood one behind the other.
  virtual std::vector<TensorView> averaged_state_tensors() { return {}; }

  /// Does what else the experiment says is to be done when parameters have been averaged.
  virtual void finish_synchronization() = 0;

  /// Names of what the parameters are made of.
  virtual std::vector<TensorView> tensors() const = 0;
};

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

/// What an evaluation finds on a set of samples.
struct SetResult {
  double loss = 0;                        ///< mean over targets
  std::int64_t correct = 0, targets = 0;  ///< targets that are predicted, and all

  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(targets); }
};

/// What an evaluation of the averaged model finds; empty is what its kind of model does not have.
struct TestResult {
  double loss = 0;                                       ///< mean over targets, or F(x)
  std::optional<std::int64_t> correct = {};              ///< targets that are predicted
  std::optional<std::int64_t> images = {}, tokens = {};  ///< targets; one of both has a number
  std::optional<double> bytes_per_token = {};            ///< of the text; empty where it is unknown
  std::optional<ObjectiveGap> gap = {};
  std::optional<SetResult> validation = {};
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
