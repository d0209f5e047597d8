#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/measure_convolutions.h"
#include "nn/execution.h"

namespace localbatch {

/// What was tuned, for the comments that let a person judge the choices.
struct TuningLog {
  std::string networks;  ///< "resnet20, resnet18"
  ExecutionOptions execution;
  std::optional<double> foreign_load;  ///< the largest while it was measured
  std::vector<TunedConvolution> tuned;
};

/// The choices as a file, with where and when they were made and the measured times.
std::string kernels_text(const TuningLog& log);

}  // namespace localbatch
