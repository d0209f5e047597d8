#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bench/machine_peak.h"
#include "bench/networks.h"
#include "bench/rate.h"
#include "core/aligned_buffer.h"
#include "core/stopwatch.h"
#include "data/dataset.h"
#include "nn/execution.h"
#include "nn/network.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

/// Everything that one worker needs for local steps on one micro-batch of random images or tokens.
/// All steps see the same samples, as only their time matters.
class TrainingStep {
 public:
  TrainingStep(const Model& model, const ExecutionOptions& execution);

  /// Loads the parameters, computes a gradient and moves along it.
  void run();

  const Network& network() const { return *network_; }
  /// Seconds of the updates since this object was made.
  double optimizer_seconds() const { return optimizer_watch_.seconds(); }

  /// The memory of a worker beside its network: parameters, gradient, the optimizer's state,
  /// running moments and the samples.
  std::size_t worker_bytes() const;

 private:
  std::unique_ptr<Network> network_;
  double clip_norm_;
  std::unique_ptr<InnerOptimizer> optimizer_;
  AlignedBuffer<float> parameters_, gradient_, running_moments_;
  BatchMemory samples_;
  std::size_t sample_bytes_;
  Stopwatch optimizer_watch_;
};

/// Milliseconds of one step by Phase, on average over the threads of the team: the phases and the
/// optimizer add up to the step.
using PhaseMilliseconds = std::array<double, kPhaseNames.size()>;

/// Whole local steps of a worker.
struct TrainingSpeed {
  BenchNetwork network;
  ExecutionOptions execution;
  Rate samples_per_second;
  double step_milliseconds = 0;  ///< in the median window
  double optimizer_milliseconds = 0;
  std::optional<PhaseMilliseconds> phases;  ///< none when the network does not measure them
  /// Share of peak FMA throughput, counting matrices and direct convolutions (backward twice the
  /// forward FLOPs); Winograd may exceed 1.
  std::optional<double> share_of_peak;
  /// Time that its products would take at the machine's peak over the time it takes, counting those
  /// of the algorithms in use: for Winograd's, which are f32 in bf16 networks too, its own.
  std::optional<double> share_of_limit;
  std::optional<std::size_t> predicted_bytes;  ///< worker and network
  std::size_t measured_bytes = 0;              ///< growth of this process, at its peak
  std::optional<double> foreign_load;

  // The same in the unit that people count these samples in: one of the two.
  std::optional<Rate> images_per_second() const;
  std::optional<Rate> tokens_per_second() const;
};

/// The least seconds of a sample's step, forward and twice that backward: products at peak, all
/// else for nothing. None where a peak that it takes was not measured.
std::optional<double> arithmetic_seconds(const Model& model, const ExecutionOptions& execution,
                                         const MachinePeaks& peaks);

/// Measures for about `seconds`, after a warm-up step. Where only a model is given, the result's
/// network has no name.
TrainingSpeed measure_training(const Model& model, const ExecutionOptions& execution,
                               double seconds, const MachinePeaks& peaks);
TrainingSpeed measure_training(const BenchNetwork& network, const ExecutionOptions& execution,
                               double seconds, const MachinePeaks& peaks);

}  // namespace localbatch
