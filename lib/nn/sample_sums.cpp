#include "nn/sample_sums.h"

#include "core/vector_math.h"

namespace localbatch {

std::optional<PixelNorm> make_pixel_norm(const ConvolutionShape& shape,
                                         double gradient_multiply_adds) {
  // Writing, reading and adding a weight's gradient takes as long as so many multiplications, more
  // when the gradient is too large for the second-level cache.
  constexpr double kPerWeight = 32, kPerDistantWeight = 128;
  constexpr double kCacheFloats = 256 * 1024;
  // A Gram matrix of 4 MiB.
  constexpr int kMaxPositions = 1024;
  const PixelNorm norm(shape);
  const double weights =
      static_cast<double>(shape.src.channels) * shape.channels * shape.kernel * shape.kernel;
  const double gradient =
      gradient_multiply_adds + weights * (weights > kCacheFloats ? kPerDistantWeight : kPerWeight);
  if (norm.positions() > kMaxPositions || norm.multiply_adds() > gradient) return std::nullopt;
  return norm;
}

void add_to_sums(const SampleSums& sums, int image, std::size_t offset,
                 std::span<const float> gradient) {
  if (wants_squared_norms(sums)) add_to_squared_norm(sums, image, squared_norm(gradient));
  if (wants_inner_products(sums))
    add_to_inner_product(sums, image,
                         inner_product(gradient, sums.direction.subspan(offset, gradient.size())));
}

void add_to_squared_norm(const SampleSums& sums, int image, double term) {
  if (wants_squared_norms(sums)) sums.squared_norms[static_cast<std::size_t>(image)] += term;
}

void add_to_inner_product(const SampleSums& sums, int image, double term) {
  if (wants_inner_products(sums)) sums.inner_products[static_cast<std::size_t>(image)] += term;
}

double sum_of_products(const float* x, const float* y, std::size_t count) {
  return inner_product({x, count}, {y, count});
}

double sum_of_products(const Bfloat16* x, const float* y, std::size_t count) {
  typedef double Doubles __attribute__((vector_size(kChannelBlock * sizeof(double))));
  Doubles sum{};
  for (std::size_t i = 0; i < count; i += kChannelBlock)
    sum += __builtin_convertvector(load(x + i), Doubles) *
           __builtin_convertvector(load(y + i), Doubles);
  double total = 0;
  for (int i = 0; i < kChannelBlock; ++i) total += sum[i];
  return total;
}

}  // namespace localbatch
