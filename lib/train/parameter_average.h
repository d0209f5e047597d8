#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"

namespace localbatch {

class StateVisitor;

/// How the workers' parameters become their mean. As kFloat32 they travel as they are. Otherwise
/// what travels is each worker's move since the last synchronization, rounded, and what rounding
/// took away is sent along with the next move (error feedback: Seide et al. 2014, Karimireddy et
/// al. 2019). Means of means are rounded too, and that is not made up for: see round_mean().
class ParameterAverage {
 public:
  ParameterAverage(Payload payload, std::size_t size)
      : payload_(payload), residual_(payload == Payload::kFloat32 ? 0 : size) {}

  /// What is to be averaged, with the mean going to `mean`. The spans must stay where they are.
  Averaged begin(std::span<const float> x, std::span<const float> x_global, std::span<float> mean);

  /// Afterwards: makes `mean` that of the parameters.
  void finish(std::span<const float> x_global, std::span<float> mean) const;

  /// Squared norm of what rounding took away from this worker's moves and is still to be sent.
  double squared_residual() const;

  /// This worker's own.
  void visit_state(StateVisitor& visitor);

 private:
  Payload payload_;
  std::vector<float> residual_, sent_;
  std::int64_t averages_ = 0;  ///< so far: the key of what is random in rounding
};

}  // namespace localbatch
