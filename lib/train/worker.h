#pragma once

#include <span>

#include "comm/communicator.h"

namespace localbatch {

/// One of the M participants of Local SGD, as the algorithm sees it.
class Worker {
 public:
  virtual ~Worker() = default;

  /// Draws `local_batch_size` samples, computes their mean gradient and moves the parameters along
  /// it. Returns the mean loss of these samples before the move.
  virtual double local_step(int local_batch_size, double learning_rate) = 0;

  virtual std::span<float> parameters() = 0;

  /// Of the latest local step: of the loss alone, without weight decay or momentum.
  virtual std::span<const float> gradient() const = 0;

  /// Does with the worker's other state (momentum, batch-norm statistics) what the experiment says
  /// is to be done when parameters are averaged. Collective.
  virtual void synchronize_state(Communicator& comm) = 0;
};

}  // namespace localbatch
