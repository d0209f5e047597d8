#include "nn/winograd.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/aligned_buffer.h"

using namespace localbatch;
using namespace localbatch::winograd;

// Every pass against the definition of a convolution, in double.

namespace {

struct Layer {
  int channels, filters, height, width, images;
};

using Values = std::vector<double>;  ///< canonical: images [N][C][H][W], weights [K][C][3][3]

/// Numbers that bf16 can represent, so that both types of storage have the same exact result.
Values random_values(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> mantissa(-255, 255);
  Values values(size);
  for (double& value : values) value = mantissa(random) / 128.0;
  return values;
}

std::size_t pixels_of(const Layer& layer) {
  return static_cast<std::size_t>(layer.height) * layer.width;
}
std::size_t image_size(const Layer& layer, int channels) {
  return channels * pixels_of(layer) * layer.images;
}

/// Calls use(weight, pixel of the output, pixel of the input) for every product
/// that a convolution sums.
template <class Use>
void for_each_product(const Layer& layer, Use use) {
  for (int k = 0; k < layer.filters; ++k) {
    for (int c = 0; c < layer.channels; ++c) {
      for (int tap = 0; tap < 9; ++tap) {
        const std::size_t weight = (static_cast<std::size_t>(k) * layer.channels + c) * 9 + tap;
        const int dy = tap / 3 - 1, dx = tap % 3 - 1;
        for (int n = 0; n < layer.images; ++n) {
          const std::size_t output =
              (static_cast<std::size_t>(n) * layer.filters + k) * pixels_of(layer);
          const std::size_t input =
              (static_cast<std::size_t>(n) * layer.channels + c) * pixels_of(layer);
          for (std::ptrdiff_t y = std::max(0, -dy); y < layer.height - std::max(0, dy); ++y) {
            for (int x = std::max(0, -dx); x < layer.width - std::max(0, dx); ++x) {
              use(weight, output + y * layer.width + x, input + (y + dy) * layer.width + x + dx);
            }
          }
        }
      }
    }
  }
}

double square(double x) { return x * x; }

void add_to(Values& sum, const Values& values) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
}

double relative_rms_error(const Values& found, const Values& expected) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += square(found[i] - expected[i]);
    norm += square(expected[i]);
  }
  return std::sqrt(error / norm);
}

template <class T>
T stored(double value) {
  if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(value);
  } else {
    Bfloat16 block[kChannelBlock];
    store(block, broadcast(static_cast<float>(value)));
    return block[0];
  }
}

/// Where value i of [N][C][H][W] lies in [N][C/block][H][W][block].
std::size_t blocked_pixel(std::size_t i, const Layer& layer) {
  const std::size_t pixels = pixels_of(layer), block = pixels * kChannelBlock;
  return i / block * block + i % pixels * kChannelBlock + i % block / pixels;
}

template <class T>
std::vector<T> blocked(const Values& values, const Layer& layer) {
  std::vector<T> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    result[blocked_pixel(i, layer)] = stored<T>(values[i]);
  }
  return result;
}
template <class T>
Values canonical(const std::vector<T>& values, const Layer& layer) {
  Values result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    result[i] = to_float(values[blocked_pixel(i, layer)]);
  }
  return result;
}

/// Where weight i of [K][C][3][3] lies in [K/block][C/block][3][3][C][K].
std::size_t blocked_weight(std::size_t i, const Layer& layer) {
  const std::size_t tap = i % 9, c = i / 9 % layer.channels, k = i / 9 / layer.channels;
  const std::size_t block =
      k / kChannelBlock * (layer.channels / kChannelBlock) + c / kChannelBlock;
  return ((block * 9 + tap) * kChannelBlock + c % kChannelBlock) * kChannelBlock +
         k % kChannelBlock;
}

std::vector<float> blocked_weights(const Values& values, const Layer& layer) {
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    result[blocked_weight(i, layer)] = static_cast<float>(values[i]);
  }
  return result;
}

/// Transformed tiles of all images, in two calls; NaN where nothing was written.
class TransformedTiles {
 public:
  template <class T, class Transform>
  TransformedTiles(const Layer& layer, int channels, const std::vector<T>& images,
                   Transform transform) {
    const Image shape{channels, layer.height, layer.width};
    channels_ = channels;
    const int per_image = tiles_per_image(shape);
    num_tiles_ = per_image * layer.images;
    points_.tiles = round_up_tiles(num_tiles_);
    points_.plane = plane_size(channels, points_.tiles);
    buffer_ = AlignedBuffer<float>(points_.plane * kPoints);
    std::fill_n(buffer_.data(), buffer_.size(), std::numeric_limits<float>::quiet_NaN());
    points_.data = buffer_.data();
    const int first = layer.images / 2;
    transform(images.data(), first, shape, 0, points_);
    transform(images.data() + images.size() / layer.images * first, layer.images - first, shape,
              first * per_image, points_);
  }

  /// Fills the last group of tiles with zeros and returns its end.
  int pad() const {
    const int padded = round_up_tiles(num_tiles_);
    clear_tiles(points_, channels_, num_tiles_, padded);
    return padded;
  }
  const Points& points() const { return points_; }
  Points points_from(int tile) const {
    Points rest = points_;
    rest.data += tile * kChannelBlock;
    return rest;
  }

 private:
  AlignedBuffer<float> buffer_;
  Points points_;
  int num_tiles_ = 0, channels_ = 0;
};

/// The convolution of `images`, whose reduced channels are summed; added to `result`.
template <class T>
std::vector<T> convolve(const Layer& layer, Direction direction, const std::vector<T>& images,
                        const std::vector<float>& weights, bool add, std::vector<T> result) {
  const bool forward = direction == Direction::kForward;
  const int reduced = forward ? layer.channels : layer.filters;
  const Image shape{forward ? layer.filters : layer.channels, layer.height, layer.width};
  const TransformedTiles tiles(layer, reduced, images, transform_input<T>);
  AlignedBuffer<float> transformed(transformed_weights_size(reduced));
  AlignedBuffer<float> product(kProductSize);
  const std::size_t one_image = result.size() / layer.images;
  const int first = (layer.images + 1) / 2;
  for (int output = 0; output < shape.channels; output += kOutputBlock) {
    transform_weights(weights.data(), layer.channels, layer.filters, direction, output,
                      transformed.data());
    multiply(tiles.points(), reduced, transformed.data(), output, shape, 0, first, add,
             result.data(), product.data());
    multiply(tiles.points(), reduced, transformed.data(), output, shape,
             first * tiles_per_image(shape), layer.images - first, add,
             result.data() + one_image * first, product.data());
  }
  return result;
}

template <class T>
Values weight_gradient(const Layer& layer, const std::vector<T>& input, const std::vector<T>& dy,
                       Values gradient) {
  const TransformedTiles x(layer, layer.channels, input, transform_input<T>);
  const TransformedTiles d(layer, layer.filters, dy, transform_output_gradient<T>);
  const int tiles = x.pad();
  REQUIRE(d.pad() == tiles);
  std::vector<float> result = blocked_weights(gradient, layer);
  for (int c = 0; c < layer.channels; c += kGradientChannels) {
    for (int k = 0; k < layer.filters; k += kOutputBlock) {
      std::vector<float> block(kGradientBlockSize, 1e30F);
      // The first tiles overwrite what was there, the others are added.
      const int first = tiles > kTileGroup ? kTileGroup : tiles;
      accumulate_weight_gradient(x.points(), layer.channels, d.points(), layer.filters, first, c, k,
                                 false, block.data());
      if (first < tiles)
        accumulate_weight_gradient(x.points_from(first), layer.channels, d.points_from(first),
                                   layer.filters, tiles - first, c, k, true, block.data());
      write_weight_gradient(block.data(), layer.channels, layer.filters, c, k, true, result.data());
    }
  }
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = result[blocked_weight(i, layer)];
  return gradient;
}

constexpr Layer kLayers[] = {
    {16, 16, 32, 32, 2}, {32, 64, 8, 8, 3},   {48, 48, 7, 7, 3},  {96, 32, 5, 9, 2},
    {32, 32, 4, 4, 70},  {16, 48, 14, 14, 5}, {160, 80, 4, 4, 3}, {128, 128, 8, 8, 2},
    {16, 16, 1, 1, 9},   {512, 32, 4, 4, 4},  {32, 512, 2, 3, 4},
};

/// Of sums over this many channels, for sums that restart every 128.
double convolution_error(int channels) {
  return channels <= 16 ? 5.6e-7 : channels <= 32 ? 7.4e-7 : channels <= 64 ? 9.6e-7 : 1.4e-6;
}
constexpr double kWeightError = 1.2e-6;
constexpr double kBfloat16Error = 2e-3;  ///< the result is rounded once

template <class T>
double storage_error(double error) {
  return std::is_same_v<T, float> ? error : kBfloat16Error;
}

/// Every pass of a layer in double.
struct Reference {
  explicit Reference(const Layer& layer)
      : x(random_values(image_size(layer, layer.channels), 1)),
        dy(random_values(image_size(layer, layer.filters), 2)),
        w(random_values(std::size_t{9} * layer.channels * layer.filters, 3)),
        y(dy.size()),
        dx(x.size()),
        dw(w.size()) {
    for_each_product(layer, [&](std::size_t weight, std::size_t output, std::size_t input) {
      y[output] += w[weight] * x[input];
      dx[input] += w[weight] * dy[output];
      dw[weight] += x[input] * dy[output];
    });
  }
  Values x, dy, w, y, dx, dw;
};

template <class T>
void check_passes(const Layer& layer, Reference expected) {
  const std::vector<float> w = blocked_weights(expected.w, layer);
  const std::vector<T> x = blocked<T>(expected.x, layer), dy = blocked<T>(expected.dy, layer);
  const auto check = [&](bool add, const std::vector<T>& y_before, const std::vector<T>& dx_before,
                         const Values& dw_before) {
    CAPTURE(add);
    const auto y = convolve(layer, Direction::kForward, x, w, add, y_before);
    CHECK(relative_rms_error(canonical(y, layer), expected.y) <
          storage_error<T>(convolution_error(layer.channels)));
    const auto dx = convolve(layer, Direction::kBackwardData, dy, w, add, dx_before);
    CHECK(relative_rms_error(canonical(dx, layer), expected.dx) <
          storage_error<T>(convolution_error(layer.filters)));
    const Values dw = weight_gradient(layer, x, dy, dw_before);
    CHECK(relative_rms_error(dw, expected.dw) < kWeightError);
  };
  // What is there without `add` must not matter, not even NaN.
  const T nan = stored<T>(std::numeric_limits<double>::quiet_NaN());
  check(false, std::vector<T>(dy.size(), nan), std::vector<T>(x.size(), nan), Values(w.size()));
  add_to(expected.y, expected.dy);
  add_to(expected.dx, expected.x);
  add_to(expected.dw, expected.w);
  check(true, dy, x, expected.w);
}

}  // namespace

TEST_CASE("Winograd's convolution is a convolution, in f32 and with values stored in bf16") {
  for (const Layer& layer : kLayers) {
    CAPTURE(layer.channels);
    CAPTURE(layer.height);
    const Reference reference(layer);
    check_passes<float>(layer, reference);
    check_passes<Bfloat16>(layer, reference);
  }
}

TEST_CASE("a convolution does not depend on which images are transformed and multiplied together") {
  const Layer layer{32, 48, 7, 5, 5};
  const auto input = blocked<float>(random_values(image_size(layer, 32), 5), layer);
  const auto weights = blocked_weights(random_values(std::size_t{9} * 32 * 48, 6), layer);
  std::vector<float> result(image_size(layer, 48));
  result = convolve(layer, Direction::kForward, input, weights, false, result);
  for (int n = 0; n < layer.images; ++n) {
    const Layer one{32, 48, 7, 5, 1};
    const std::ptrdiff_t input_size = image_size(one, 32), output_size = image_size(one, 48);
    const std::vector<float> image(input.begin() + n * input_size,
                                   input.begin() + (n + 1) * input_size);
    const auto alone =
        convolve(one, Direction::kForward, image, weights, false, std::vector<float>(output_size));
    CHECK(std::equal(alone.begin(), alone.end(), result.begin() + n * output_size));
  }
}
