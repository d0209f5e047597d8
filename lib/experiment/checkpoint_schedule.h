#pragma once

#include <cstdint>

namespace localbatch {

/// When a run is saved without being asked for it.
struct CheckpointSchedule {
  double every_seconds = 600;     ///< 0: not by time
  std::int64_t every_rounds = 0;  ///< 0: not by rounds
};

}  // namespace localbatch
