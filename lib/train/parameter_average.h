#pragma once

#include <span>
#include <vector>

#include "comm/communicator.h"

namespace localbatch {

/// How the workers' parameters become their mean. As kFloat32 they travel as they are. As kBfloat16
/// what travels is each worker's move since the last synchronization, rounded, and what rounding
/// took away is sent along with the next move (error feedback: Seide et al. 2014, Karimireddy et
/// al. 2019). Means of means are rounded too, and that is not made up for.
class ParameterAverage {
 public:
  /// `residual` holds what was taken away so far, as long as the parameters for kBfloat16 and empty
  /// otherwise; it belongs to the state of a run.
  ParameterAverage(Payload payload, std::vector<float>& residual)
      : payload_(payload), residual_(residual) {}

  /// What is to be averaged, with the mean going to `mean`. The spans must stay where they are.
  Averaged begin(std::span<const float> x, std::span<const float> x_global, std::span<float> mean);

  /// Afterwards: makes `mean` that of the parameters.
  void finish(std::span<const float> x_global, std::span<float> mean) const;

  /// Squared norm of what rounding took away from this worker's move.
  double squared_residual() const;

 private:
  Payload payload_;
  std::vector<float>& residual_;
  std::vector<float> sent_;
};

}  // namespace localbatch
