#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiment/experiment.h"

namespace localbatch {

/// Of a rank. An estimate: the program, the libraries' own memory, files that are read and what a
/// checkpoint needs on rank 0 are not in it.
struct MemoryForecast {
  std::vector<MemoryPart> parts;

  std::size_t total() const;
};

/// Of a rank with so many workers, of which `slots` compute at a time, and with so many bytes of
/// buffers for what it averages with other ranks.
MemoryForecast forecast_memory(const Experiment& experiment, const Task& task, int hosted_workers,
                               int slots, std::size_t average_buffers);

}  // namespace localbatch
