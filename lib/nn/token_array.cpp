#include "nn/token_array.h"

#include <algorithm>

#include "nn/row_vectors.h"

namespace localbatch {

void to_factors(std::size_t size, const float* from, float* to) { std::copy_n(from, size, to); }

void to_factors(std::size_t size, const float* from, Bfloat16* to) {
  for_each_vector(static_cast<std::ptrdiff_t>(size),
                  [&](std::ptrdiff_t i, auto lanes) { lanes.store(to + i, lanes.load(from + i)); });
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
