#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bench/networks.h"
#include "bench/rate.h"
#include "core/aligned_buffer.h"
#include "core/stopwatch.h"
#include "nn/execution.h"
#include "nn/network.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

/// Everything that one worker needs for local steps on one micro-batch of random images. All steps
/// see the same images, as only their time matters.
class TrainingStep {
 public:
  TrainingStep(const Model& model, const ExecutionOptions& execution);

  /// Loads the parameters, computes a gradient and moves along it.
  void run();

  const Network& network() const { return *network_; }
  int images() const { return network_->max_samples(); }

  /// Seconds of the updates since this object was made.
  double optimizer_seconds() const { return optimizer_watch_.seconds(); }

  /// The memory of a worker beside its network: parameters, gradient, momentum, running moments and
  /// the input images.
  std::size_t worker_bytes() const;

 private:
  std::unique_ptr<Network> network_;
  std::unique_ptr<InnerOptimizer> optimizer_;
  AlignedBuffer<float> parameters_, gradient_, running_moments_, images_;
  std::vector<std::int32_t> targets_;
  Stopwatch optimizer_watch_;
};

/// Milliseconds of one step by Phase, on average over the threads of the team: the phases and the
/// optimizer add up to the step.
using PhaseMilliseconds = std::array<double, kPhaseNames.size()>;

/// Whole local steps of a worker.
struct TrainingSpeed {
  BenchNetwork network;
  ExecutionOptions execution;
  Rate images_per_second;
  double step_milliseconds = 0;  ///< in the median window
  double optimizer_milliseconds = 0;
  std::optional<PhaseMilliseconds> phases;  ///< none when the network does not measure them
  /// Share of peak FMA throughput, counting direct-convolution FLOPs (backward twice the forward
  /// ones); Winograd may exceed 1.
  std::optional<double> share_of_peak;
  std::optional<std::size_t> predicted_bytes;  ///< worker and network
  std::size_t measured_bytes = 0;              ///< growth of this process, at its peak
  std::optional<double> foreign_load;
};

/// Measures for about `seconds`, after a warm-up step. `peak` is in FLOP per second. Where only a
/// model is given, the result leaves its network empty.
TrainingSpeed measure_training(const Model& model, const ExecutionOptions& execution,
                               double seconds, std::optional<double> peak);
TrainingSpeed measure_training(const BenchNetwork& network, const ExecutionOptions& execution,
                               double seconds, std::optional<double> peak);

}  // namespace localbatch
