#include "train/averaged_weights.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/state.h"

namespace localbatch {

void AveragedWeights::add(std::span<const float> x, std::int64_t samples) {
  check(x.size() == mean_.size(), "an average is of one model");
  const double kept = is_empty_ ? 0 : std::exp(-static_cast<double>(samples) / window_);
  is_empty_ = false;
  // From x, so that a mean of which nothing is kept is x to the last bit; in double, as f32 takes
  // a share that is nearly 1 for 1.
  for (std::size_t i = 0; i < x.size(); ++i)
    mean_[i] = static_cast<float>(double{x[i]} + kept * (double{mean_[i]} - double{x[i]}));
}

void AveragedWeights::swap(std::span<float> x) {
  check(x.size() == mean_.size(), "an average is of one model");
  std::ranges::swap_ranges(x, mean_);
}

void AveragedWeights::visit_state(StateVisitor& visitor) {
  visitor.visit("averaged_weights.empty", is_empty_);
  visitor.visit("averaged_weights", std::span(mean_));
}

}  // namespace localbatch
