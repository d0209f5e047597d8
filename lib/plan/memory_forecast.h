#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "nn/model.h"
#include "plan/traffic.h"

namespace localbatch {

/// What a part of a rank takes.
struct MemoryPart {
  std::string name;
  std::size_t bytes = 0;
};

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

/// `network` may be null: a problem. `dataset_bytes` are those of all images.
MemoryForecast forecast_memory(const Experiment& experiment, const WorkerArrays& arrays,
                               const Model* network, std::size_t dataset_bytes, int hosted_workers,
                               int slots, const TrafficForecast& traffic);

}  // namespace localbatch
