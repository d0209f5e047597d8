#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "bench/networks.h"
#include "comm/payload.h"
#include "comm/process_group.h"

namespace localbatch {

/// Averages of one flat array of parameters over all workers: the traffic of a synchronization.
struct SynchronizationSpeed {
  BenchNetwork network;
  std::size_t parameters = 0;
  Payload payload = Payload::kFloat32;
  int workers = 1, ranks = 1;
  int averages = 0;  ///< number of averages that were measured
  double median_seconds = 0, best_seconds = 0;
  /// The bytes of one worker's array divided by the median time, whatever travels over the network.
  double bytes_per_second = 0;
  std::optional<double> foreign_load;
};

/// Averages arrays of so many numbers over workers on the ranks of this job for about `seconds`,
/// and returns the seconds of each average as worker 0 sees them. Collective; empty but on rank 0.
std::vector<double> measure_averages(std::size_t numbers, int workers, double seconds,
                                     ProcessGroup& processes, Payload payload = Payload::kFloat32);

/// Runs the workers on the ranks of this job for about `seconds`. Collective; the times are filled
/// in on rank 0 only.
SynchronizationSpeed measure_synchronization(const BenchNetwork& network, Payload payload,
                                             int workers, double seconds, ProcessGroup& processes);

}  // namespace localbatch
