#pragma once

#include <optional>

#include "bench/rate.h"

namespace localbatch {

/// What a worker's one thread does between two gradients: draw images of 3x32x32 in random order
/// from a set as large as CIFAR-10, crop, mirror and normalize them.
struct DataSpeed {
  Rate images_per_second;
  /// Of the time of a step of resnet20, the fastest one that was measured.
  std::optional<double> share_of_step;
  std::optional<double> foreign_load;
};

DataSpeed measure_data(double seconds);

}  // namespace localbatch
