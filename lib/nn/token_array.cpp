#include "nn/token_array.h"

#include <algorithm>
#include <array>

#include "nn/vector.h"

namespace localbatch {

void to_factors(std::size_t size, const float* from, float* to) { std::copy_n(from, size, to); }

void to_factors(std::size_t size, const float* from, Bfloat16* to) {
  std::size_t i = 0;
  for (; i + kChannelBlock <= size; i += kChannelBlock) store(to + i, load(from + i));
  if (i == size) return;
  std::array<float, kChannelBlock> rest{};
  std::array<Bfloat16, kChannelBlock> rounded{};
  std::copy_n(from + i, size - i, rest.begin());
  store(rounded.data(), load(rest.data()));
  std::copy_n(rounded.begin(), size - i, to + i);
}

void normalize_segments_backward(const TokenNorm& norm, const RowBlock& rows, const float* src,
                                 const float* diff_normalized, float* diff, NormParts& parts) {
  for (int i = 0; i < rows.segments; ++i) {
    const int begin = rows.segment_begin(i), end = rows.segment_begin(i + 1);
    const std::size_t skip = elements(begin, norm.width);
    float* const scale = parts[0].row(rows.first_segment + i);
    float* const shift = parts[1].row(rows.first_segment + i);
    std::fill_n(scale, norm.width, 0.0F);
    std::fill_n(shift, norm.width, 0.0F);
    normalize_rows_backward(norm, end - begin, src + skip, diff_normalized + skip, diff + skip,
                            scale, norm.shift != nullptr ? shift : nullptr);
  }
}

}  // namespace localbatch
