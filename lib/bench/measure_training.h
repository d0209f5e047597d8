#pragma once

#include <cstddef>
#include <optional>

#include "bench/networks.h"
#include "bench/rate.h"
#include "nn/execution.h"

namespace localbatch {

/// Milliseconds of one step by Phase; on average over the threads of the team, so that with the
/// optimizer they add up to the step.
using PhaseMilliseconds = std::array<double, kPhaseNames.size()>;

/// Whole local steps of a worker.
struct TrainingSpeed {
  BenchNetwork network;
  ExecutionOptions execution;
  Rate images_per_second;
  double step_milliseconds = 0;  ///< of the median window
  double optimizer_milliseconds = 0;
  std::optional<PhaseMilliseconds> phases;  ///< nothing when the network does not measure them
  /// Of the machine's fused multiply-adds per second. Counted is what direct convolutions would
  /// multiply, forward and twice that backward, so Winograd can go beyond 1.
  std::optional<double> share_of_peak;
  std::optional<std::size_t> predicted_bytes;  ///< worker and network
  std::size_t measured_bytes = 0;              ///< by which this process grew, at its peak
  std::optional<double> foreign_load;
};

/// Measures for about `seconds` after one step that does not count. `peak` is in FLOP per second.
/// The network of the result is not known where only a model is given.
TrainingSpeed measure_training(const Model& model, const ExecutionOptions& execution,
                               double seconds, std::optional<double> peak);
TrainingSpeed measure_training(const BenchNetwork& network, const ExecutionOptions& execution,
                               double seconds, std::optional<double> peak);

}  // namespace localbatch
