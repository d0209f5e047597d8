#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"

namespace localbatch {

class StateVisitor;

/// What parameters travel as: as they are, or the moves of each worker in another form.
struct ParameterFormat {
  Payload payload = Payload::kFloat32;
  /// Of the numbers of a move, the largest, as f32 with their places; 1: all, as the payload says.
  double share = 1;

  bool sends_all() const { return share == 1; }
  bool sends_moves() const { return payload != Payload::kFloat32 || !sends_all(); }
  /// Of `size` parameters.
  std::size_t numbers_sent(std::size_t size) const;
  std::size_t bytes_sent(std::size_t size) const;
};

/// How the workers' parameters become their mean. Either they travel as they are, or what travels
/// is each worker's move since the last synchronization, rounded or its largest numbers alone, and
/// what this took away is sent along with the next move (error feedback: Seide et al. 2014,
/// Karimireddy et al. 2019). Means of means are rounded too, and that is not made up for: see
/// round_mean(). The largest numbers of all workers go to all of them, so their mean is exact.
class ParameterAverage {
 public:
  ParameterAverage(const ParameterFormat& format, std::size_t size, int num_workers);

  /// What is to be exchanged, with the mean going to `mean`. The spans must stay where they are.
  Exchange begin(std::span<const float> x, std::span<const float> x_global, std::span<float> mean);

  /// Afterwards: makes `mean` that of the parameters.
  void finish(std::span<const float> x_global, std::span<float> mean) const;

  /// Squared norm of what was taken away from this worker's moves and is still to be sent.
  double squared_residual() const;

  /// This worker's own.
  void visit_state(StateVisitor& visitor);

 private:
  ParameterFormat format_;
  int num_workers_;
  std::vector<float> residual_, sent_;
  std::int64_t averages_ = 0;  ///< so far: the key of what is random in rounding
  Averaged averaged_;
  std::vector<double> largest_, largest_of_all_;
};

}  // namespace localbatch
