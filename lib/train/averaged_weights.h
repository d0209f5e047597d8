#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace localbatch {

class StateVisitor;

/// The mean of the global parameters x over the rounds of a run, which forgets: after a round of s
/// samples
///   mean = x + exp(-s/window) (mean - x),
/// from the x of the first round. Exponential averages of iterates as models are evaluated by
/// (Polyak and Juditsky 1992 with equal weights), in samples, as rounds of adaptive batches are of
/// all sizes.
class AveragedWeights {
 public:
  /// `window`: the samples in which the weight of a round falls to 1/e.
  AveragedWeights(double window, std::size_t size) : window_(window), mean_(size) {}

  /// After a round of so many samples of all workers together.
  void add(std::span<const float> x, std::int64_t samples);

  /// Lends the mean to `x`, or takes it back.
  void swap(std::span<float> x);

  /// Equal on all workers.
  void visit_state(StateVisitor& visitor);

 private:
  double window_;
  bool is_empty_ = true;
  std::vector<float> mean_;
};

}  // namespace localbatch
