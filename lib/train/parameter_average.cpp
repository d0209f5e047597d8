#include "train/parameter_average.h"

#include "core/error.h"
#include "core/vector_math.h"

namespace localbatch {

Averaged ParameterAverage::begin(std::span<const float> x, std::span<const float> x_global,
                                 std::span<float> mean) {
  if (payload_ == Payload::kFloat32)
    return {.mine = x, .mean = mean, .traffic = Traffic::kParameters};
  check(residual_.size() == x.size(), "every parameter has a residual");
  sent_.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float move = (x[i] - x_global[i]) + residual_[i];
    sent_[i] = rounded_to_bfloat16(move);
    residual_[i] = move - sent_[i];
  }
  return {.mine = sent_, .mean = mean, .traffic = Traffic::kParameters, .payload = payload_};
}

void ParameterAverage::finish(std::span<const float> x_global, std::span<float> mean) const {
  if (payload_ == Payload::kFloat32) return;
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += x_global[i];
}

double ParameterAverage::squared_residual() const { return squared_norm(residual_); }

}  // namespace localbatch
