#pragma once

#include <span>
#include <vector>

#include "comm/communicator.h"
#include "nn/model.h"
#include "train/chunk_gradients.h"
#include "train/sample_gradients.h"

namespace localbatch {

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

  /// Looks at gradients of single samples at the present parameters. What the worker does next is
  /// the same as without, but until the next local step gradient() is the mean of these.
  virtual SampleGradients sample_gradients(const SampleRequest& request) = 0;

  /// Adds the arrays of the worker's other state (momentum, batch-norm statistics) that are
  /// averaged together with the parameters.
  virtual void add_averaged_state(std::vector<Averaged>& averaged) = 0;

  /// Does what else the experiment says is to be done when parameters have been averaged.
  virtual void finish_synchronization() = 0;

  /// Names of what the parameters are made of.
  virtual std::vector<TensorView> tensors() const = 0;
};

}  // namespace localbatch
