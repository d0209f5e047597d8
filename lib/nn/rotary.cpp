#include "nn/rotary.h"

#include <cmath>

#include "nn/row_vectors.h"

namespace localbatch {

namespace {

template <bool kBack>
void turn(const float* cosines, const float* sines, std::ptrdiff_t half, float* head) {
  for_each_vector(half, [&](std::ptrdiff_t j, auto lanes) {
    const Vector cosine = lanes.load(cosines + j), sine = lanes.load(sines + j);
    const Vector x = lanes.load(head + j), y = lanes.load(head + half + j);
    lanes.store(head + j, kBack ? x * cosine + y * sine : x * cosine - y * sine);
    lanes.store(head + half + j, kBack ? y * cosine - x * sine : y * cosine + x * sine);
  });
}

}  // namespace

Rotary::Rotary(int length, int head_size, double base) : half_(head_size / 2) {
  const auto size = static_cast<std::size_t>(length) * static_cast<std::size_t>(half_);
  cos_.reserve(size);
  sin_.reserve(size);
  for (int position = 0; position < length; ++position)
    for (int j = 0; j < half_; ++j) {
      const double angle = position * std::pow(base, -2.0 * j / head_size);
      cos_.push_back(static_cast<float>(std::cos(angle)));
      sin_.push_back(static_cast<float>(std::sin(angle)));
    }
}

void Rotary::rotate(float* head, int position) const {
  const std::ptrdiff_t first = std::ptrdiff_t{position} * half_;
  turn<false>(cos_.data() + first, sin_.data() + first, half_, head);
}

void Rotary::rotate_back(float* head, int position) const {
  const std::ptrdiff_t first = std::ptrdiff_t{position} * half_;
  turn<true>(cos_.data() + first, sin_.data() + first, half_, head);
}

}  // namespace localbatch
