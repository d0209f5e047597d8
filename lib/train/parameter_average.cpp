#include "train/parameter_average.h"

#include <algorithm>

#include "core/error.h"
#include "core/state.h"
#include "core/vector_math.h"

namespace localbatch {

Averaged ParameterAverage::begin(std::span<const float> x, std::span<const float> x_global,
                                 std::span<float> mean) {
  if (payload_ == Payload::kFloat32)
    return {.mine = x, .mean = mean, .traffic = Traffic::kParameters};
  check(residual_.size() == x.size(), "every parameter has a residual");
  sent_.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) residual_[i] += x[i] - x_global[i];
  std::ranges::copy(residual_, sent_.begin());
  round_to_nearest(sent_, payload_);
  for (std::size_t i = 0; i < x.size(); ++i) residual_[i] -= sent_[i];
  averages_ += 1;
  return {.mine = sent_,
          .mean = mean,
          .traffic = Traffic::kParameters,
          .payload = payload_,
          .rounding_key = static_cast<std::uint32_t>(averages_)};
}

void ParameterAverage::finish(std::span<const float> x_global, std::span<float> mean) const {
  if (payload_ == Payload::kFloat32) return;
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += x_global[i];
}

double ParameterAverage::squared_residual() const { return squared_norm(residual_); }

void ParameterAverage::visit_state(StateVisitor& visitor) {
  visitor.visit("residual", std::span(residual_));
  if (has_blocks(payload_)) visitor.visit("averages", averages_);
}

}  // namespace localbatch
