#include "train/largest_numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/error.h"

namespace localbatch {

namespace {

/// Bits of floats without their sign are ordered as magnitudes are, and NaN above all.
std::uint32_t magnitude(float value) { return std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU; }

double packed(std::size_t place, float value) {
  return std::bit_cast<double>(std::uint64_t{place} << 32 | std::bit_cast<std::uint32_t>(value));
}

}  // namespace

void take_largest(std::span<float> values, std::span<double> taken) {
  check(taken.size() >= 1 && taken.size() <= values.size(), "an array has the numbers it gives");
  check(values.size() <= std::numeric_limits<std::uint32_t>::max(), "a place has 32 bits");
  std::vector<std::uint32_t> magnitudes(values.size());
  std::ranges::transform(values, magnitudes.begin(), magnitude);
  const auto last = magnitudes.begin() + static_cast<std::ptrdiff_t>(taken.size()) - 1;
  std::ranges::nth_element(magnitudes, last, std::ranges::greater());
  const std::uint32_t least = *last;
  std::ptrdiff_t equal_ones = std::ranges::count(magnitudes.begin(), last + 1, least);

  auto next = taken.begin();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t own = magnitude(values[i]);
    if (own < least || (own == least && equal_ones-- <= 0)) continue;
    *next++ = packed(i, values[i]);
    values[i] = 0;
  }
}

void mean_of_taken(std::span<const double> all, int num_workers, std::span<float> mean) {
  std::vector<double> sums(mean.size());
  for (const double one : all) {
    const auto bits = std::bit_cast<std::uint64_t>(one);
    sums[bits >> 32] += double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))};
  }
  std::ranges::transform(sums, mean.begin(), [num_workers](double sum) {
    return std::isnan(sum) ? std::numeric_limits<float>::quiet_NaN()
                           : static_cast<float>(sum / num_workers);
  });
}

}  // namespace localbatch
