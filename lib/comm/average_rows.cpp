#include "comm/average_rows.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

namespace localbatch {

namespace {

/// Small enough for the sums to stay in the first-level cache while all rows are added.
constexpr std::size_t kTile = 1024;

/// Which of two NaNs survives an addition is the compiler's choice, so it could depend on where in
/// a vector loop an element falls.
float rounded(double mean) {
  return mean == mean ? static_cast<float>(mean) : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

void average_rows(std::span<const float* const> rows, Slice slice, std::span<float* const> outs) {
  const auto num_rows = static_cast<double>(rows.size());
  std::array<double, kTile> sum;
  std::array<float, kTile> mean;
  for (std::size_t begin = slice.begin; begin < slice.end; begin += kTile) {
    const std::size_t size = std::min(kTile, slice.end - begin);
    // Starting from the first row, not from zero, keeps a sum of negative zeros negative.
    std::copy_n(rows[0] + begin, size, sum.begin());
    for (const float* const row : rows.subspan(1))
      for (std::size_t i = 0; i < size; ++i) sum[i] += double{row[begin + i]};
    for (std::size_t i = 0; i < size; ++i) mean[i] = rounded(sum[i] / num_rows);
    for (float* const out : outs) std::copy_n(mean.begin(), size, out + begin);
  }
}

}  // namespace localbatch
