#pragma once

#include <span>

#include "batching/gradient_statistics.h"
#include "comm/communicator.h"
#include "core/options.h"

namespace localbatch {

/// How the statistics of a test are measured; every choice is a named one because the paper's is
/// not known (method.md 2.3 to 2.5).
struct StatisticsOptions {
  bool at_first_step = false;     ///< measured at h = 0, where all workers stand at the same point
  bool divide_by_chunks = false;  ///< divisor J instead of J - 1
  bool unbiased_squared_norm = false;  ///< |g|^2 - variance/N instead of |g|^2
};

StatisticsOptions read_statistics_options(Options& options);

/// The statistics of M chunks, one per worker: `mine` is the mean gradient of this worker's
/// `local_batch_size` samples. Inner products are taken over the whole vector. Communicates one
/// average of the gradients' length and a few scalars; `mean` is scratch of that length.
/// Collective, and the result is the same on every worker. One worker alone has no variance:
/// num_chunks is 1 and the rest 0.
GradientStatistics gradient_statistics(std::span<const float> mine, int local_batch_size,
                                       const StatisticsOptions& options, std::span<float> mean,
                                       Communicator& comm);

}  // namespace localbatch
