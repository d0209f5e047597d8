#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/stopwatch.h"
#include "nn/network.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

/// Everything that one worker needs for local steps of one micro-batch of random images, which is
/// always the same one: this is about time, not about learning.
class TrainingStep {
 public:
  TrainingStep(const Model& model, const ExecutionOptions& execution);

  /// Loads the parameters, computes a gradient and moves along it.
  void run();

  const Network& network() const { return network_; }
  int images() const { return network_.max_images(); }

  /// Of the updates since this object was made.
  double optimizer_seconds() const { return optimizer_watch_.seconds(); }

  /// What a worker holds beside its network: parameters, gradient, momentum, batch-norm statistics
  /// and the input images.
  std::size_t worker_bytes() const;

 private:
  Network network_;
  std::unique_ptr<InnerOptimizer> optimizer_;
  AlignedBuffer<float> parameters_, gradient_, statistics_, images_;
  std::vector<Label> labels_;
  Stopwatch optimizer_watch_;
};

}  // namespace localbatch
