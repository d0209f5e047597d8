#include "nn/pixel_norm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "core/vector.h"

using namespace localbatch;

namespace {

/// Numbers that bf16 can represent.
std::vector<float> random_pixels(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> mantissa(-255, 255);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(mantissa(random)) / 128;
  return values;
}

std::vector<Bfloat16> to_bfloat16(const std::vector<float>& values) {
  std::vector<Bfloat16> converted(values.size());
  for (std::size_t i = 0; i < values.size(); i += kChannelBlock)
    store(&converted[i], load(&values[i]));
  return converted;
}

/// A value of an image in channel blocks.
double at(const std::vector<float>& image, const ImageShape& shape, int channel, int y, int x) {
  const int pixel = y * shape.width + x, pixels = shape.height * shape.width;
  return image[static_cast<std::size_t>((channel / kChannelBlock * pixels + pixel) * kChannelBlock +
                                        channel % kChannelBlock)];
}

/// |dW|^2 from dW.
double expected_norm(const ConvolutionShape& shape, const std::vector<float>& src,
                     const std::vector<float>& diff_dst) {
  const ImageShape dst = shape.dst();
  double sum = 0;
  for (int k = 0; k < shape.channels; ++k)
    for (int c = 0; c < shape.src.channels; ++c)
      for (int row = 0; row < shape.kernel; ++row)
        for (int column = 0; column < shape.kernel; ++column) {
          double weight = 0;
          for (int y = 0; y < dst.height; ++y)
            for (int x = 0; x < dst.width; ++x) {
              const int v = y * shape.stride + row - shape.padding;
              const int u = x * shape.stride + column - shape.padding;
              if (v >= 0 && u >= 0 && v < shape.src.height && u < shape.src.width)
                weight += at(diff_dst, dst, k, y, x) * at(src, shape.src, c, v, u);
            }
          sum += weight * weight;
        }
  return sum;
}

}  // namespace

TEST_CASE("the norm of a convolution's gradient can be computed from products of pixels") {
  constexpr int kBlock = kChannelBlock;
  double worst = 0;
  for (const ImageShape& src : {ImageShape{kBlock, 8, 8}, ImageShape{3 * kBlock, 7, 5},
                                ImageShape{kBlock, 1, 13}, ImageShape{2 * kBlock, 9, 14}})
    for (const int kernel : {1, 2, 3, 5, 7})
      for (const int stride : {1, 2, 3})
        for (const int padding : {0, 1, 3})
          for (const int channels : {kBlock, 2 * kBlock}) {
            const ConvolutionShape shape{src, channels, kernel, stride, padding};
            if (padding >= kernel || src.height + 2 * padding < kernel ||
                src.width + 2 * padding < kernel)
              continue;
            CAPTURE(src.channels);
            CAPTURE(src.height);
            CAPTURE(kernel);
            CAPTURE(stride);
            CAPTURE(padding);
            const std::vector<float> x = random_pixels(src.size(), 1);
            const std::vector<float> dy = random_pixels(shape.dst().size(), 2);
            const double expected = expected_norm(shape, x, dy);

            const PixelNorm norm(shape);
            Team team(1);
            team.allocate(norm.scratch(), 0);
            double found = 0, found_bfloat16 = 0;
            const std::vector<Bfloat16> x_half = to_bfloat16(x), dy_half = to_bfloat16(dy);
            team.for_each(1, Phase::kBackwardWeights, [&](int, Thread& thread) {
              {
                const Thread::Frame before(thread);
                std::fill_n(thread.take<float>(norm.scratch() / sizeof(float)),
                            norm.scratch() / sizeof(float), NAN);
              }
              found = norm.squared_norm(x.data(), dy.data(), thread);
              found_bfloat16 = norm.squared_norm(x_half.data(), dy_half.data(), thread);
            });
            CHECK(found == doctest::Approx(expected).epsilon(1e-6));
            CHECK(found_bfloat16 == found);
            worst = std::max(worst, std::abs(found / expected - 1));
          }
  MESSAGE("largest relative error: " << worst);
}
