#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "bench/rate.h"

namespace localbatch {

/// How fast one thread of a worker prepares samples.
struct DataSpeed {
  Rate images_per_second;
  std::string_view network = "resnet20";  ///< the network whose step it is compared with
  /// Share of the time of a step of this network, the fastest one that was measured.
  std::optional<double> share_of_step;
  std::optional<double> foreign_load;
};

/// Draws images of 3x32x32 in random order from a set as large as CIFAR-10, crops, mirrors and
/// normalizes them.
DataSpeed measure_data(double seconds);

/// Reads and decodes the training images of a folder laid out like ImageNet (data/image_folder.h),
/// cuts random crops of 3x224x224 out of them, mirrors and normalizes them. The speed is compared
/// with resnet101.
DataSpeed measure_files(double seconds, const std::filesystem::path& root);

}  // namespace localbatch
