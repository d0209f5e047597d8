#include "train/parameter_average.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/state.h"
#include "core/vector_math.h"
#include "train/largest_numbers.h"

namespace localbatch {

std::size_t ParameterFormat::numbers_sent(std::size_t size) const {
  if (sends_all() || size == 0) return size;
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(share * double(size))));
}

std::size_t ParameterFormat::bytes_sent(std::size_t size) const {
  return sends_all() ? encoded_size(payload, size) : numbers_sent(size) * sizeof(double);
}

ParameterAverage::ParameterAverage(const ParameterFormat& format, std::size_t size, int num_workers)
    : format_(format), num_workers_(num_workers), residual_(format.sends_moves() ? size : 0) {
  if (format.sends_all()) return;
  largest_.resize(format.numbers_sent(size));
  largest_of_all_.resize(largest_.size() * static_cast<std::size_t>(num_workers));
}

Exchange ParameterAverage::begin(std::span<const float> x, std::span<const float> x_global,
                                 std::span<float> mean) {
  averaged_ = {.mine = x, .mean = mean, .traffic = Traffic::kParameters};
  if (!format_.sends_moves()) return {.averaged = std::span(&averaged_, 1)};

  check(residual_.size() == x.size(), "every parameter has a residual");
  for (std::size_t i = 0; i < x.size(); ++i) residual_[i] += x[i] - x_global[i];
  if (!format_.sends_all()) {
    take_largest(residual_, largest_);
    return {.mine = largest_, .all = largest_of_all_, .traffic = Traffic::kParameters};
  }
  sent_.assign(residual_.begin(), residual_.end());
  round_to_nearest(sent_, format_.payload);
  for (std::size_t i = 0; i < x.size(); ++i) residual_[i] -= sent_[i];
  averages_ += 1;
  averaged_.mine = sent_;
  averaged_.payload = format_.payload;
  averaged_.rounding_key = static_cast<std::uint32_t>(averages_);
  return {.averaged = std::span(&averaged_, 1)};
}

void ParameterAverage::finish(std::span<const float> x_global, std::span<float> mean) const {
  if (!format_.sends_moves()) return;
  if (!format_.sends_all()) mean_of_taken(largest_of_all_, num_workers_, mean);
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += x_global[i];
}

double ParameterAverage::squared_residual() const { return squared_norm(residual_); }

void ParameterAverage::visit_state(StateVisitor& visitor) {
  visitor.visit("residual", std::span(residual_));
  if (has_blocks(format_.payload)) visitor.visit("averages", averages_);
}

}  // namespace localbatch
