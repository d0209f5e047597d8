#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "plan/traffic.h"

namespace localbatch {

/// Of the rank that hosts most workers. An estimate: the program, the libraries' own memory, files
/// that are read and what a checkpoint needs on rank 0 are not in it.
struct MemoryForecast {
  std::vector<MemoryPart> parts;

  std::size_t total() const;
};

/// Lengths of a worker's arrays.
struct WorkerArrays {
  std::size_t parameters = 0;
  std::size_t optimizer_state = 0, outer_state = 0;
  std::size_t batch_norm = 0;  ///< running statistics
};

MemoryForecast forecast_memory(const Experiment& experiment, const WorkerArrays& arrays,
                               const Task& task, int hosted_workers, int slots,
                               const TrafficForecast& traffic);

}  // namespace localbatch
