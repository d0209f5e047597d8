#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/error.h"
#include "core/vector.h"
#include "nn/winograd.h"

namespace localbatch::winograd {

// The passes of whole layers put together from the pieces of winograd.h, and the definition of a
// convolution in double to compare them with.

struct TestLayer {
  int channels, filters, height, width, images;
};

using Values = std::vector<double>;  ///< canonical: images [N][C][H][W], weights [K][C][3][3]

/// Numbers that bf16 can represent, so that both types of storage have the same exact result.
inline Values random_values(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> mantissa(-255, 255);
  Values values(size);
  for (double& value : values) value = mantissa(random) / 128.0;
  return values;
}

inline std::size_t pixels_of(const TestLayer& layer) {
  return static_cast<std::size_t>(layer.height) * layer.width;
}
inline std::size_t image_size(const TestLayer& layer, int channels) {
  return channels * pixels_of(layer) * layer.images;
}

/// Calls use(weight, pixel of the output, pixel of the input) for every product
/// that a convolution sums.
template <class Use>
void for_each_product(const TestLayer& layer, Use use) {
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

inline double square(double x) { return x * x; }

inline void add_to(Values& sum, const Values& values) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
}

/// Root of the sum of squared differences.
inline double distance(const Values& found, const Values& expected) {
  double sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) sum += square(found[i] - expected[i]);
  return std::sqrt(sum);
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
inline std::size_t blocked_pixel(std::size_t i, const TestLayer& layer) {
  const std::size_t pixels = pixels_of(layer), block = pixels * kChannelBlock;
  return i / block * block + i % pixels * kChannelBlock + i % block / pixels;
}

template <class T>
std::vector<T> blocked(const Values& values, const TestLayer& layer) {
  std::vector<T> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    result[blocked_pixel(i, layer)] = stored<T>(values[i]);
  }
  return result;
}
template <class T>
Values canonical(const std::vector<T>& values, const TestLayer& layer) {
  Values result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    result[i] = to_float(values[blocked_pixel(i, layer)]);
  }
  return result;
}

/// Where weight i of [K][C][3][3] lies in [K/block][C/block][3][3][C][K].
inline std::size_t blocked_weight(std::size_t i, const TestLayer& layer) {
  const std::size_t tap = i % 9, c = i / 9 % layer.channels, k = i / 9 / layer.channels;
  const std::size_t block =
      k / kChannelBlock * (layer.channels / kChannelBlock) + c / kChannelBlock;
  return ((block * 9 + tap) * kChannelBlock + c % kChannelBlock) * kChannelBlock +
         k % kChannelBlock;
}

inline std::vector<float> blocked_weights(const Values& values, const TestLayer& layer) {
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
  TransformedTiles(const TestLayer& layer, int channels, const std::vector<T>& images,
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
std::vector<T> convolve(const TestLayer& layer, Direction direction, const std::vector<T>& images,
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
Values weight_gradient(const TestLayer& layer, const std::vector<T>& input,
                       const std::vector<T>& dy, Values gradient) {
  const TransformedTiles x(layer, layer.channels, input, transform_input<T>);
  const TransformedTiles d(layer, layer.filters, dy, transform_output_gradient<T>);
  const int tiles = x.pad();
  check(d.pad() == tiles, "both have as many tiles");
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

/// Every pass of a layer in double, and how large its results would be if the signs of what is
/// summed were random: the measure of rounding errors, which do not shrink where sums cancel.
struct Reference {
  explicit Reference(const TestLayer& layer, unsigned seed = 1)
      : x(random_values(image_size(layer, layer.channels), seed)),
        dy(random_values(image_size(layer, layer.filters), seed + 1)),
        w(random_values(std::size_t{9} * layer.channels * layer.filters, seed + 2)),
        y(dy.size()),
        dx(x.size()),
        dw(w.size()) {
    for_each_product(layer, [&](std::size_t weight, std::size_t output, std::size_t input) {
      y[output] += w[weight] * x[input];
      dx[input] += w[weight] * dy[output];
      dw[weight] += x[input] * dy[output];
      y_size += square(w[weight] * x[input]);
      dx_size += square(w[weight] * dy[output]);
      dw_size += square(x[input] * dy[output]);
    });
    for (double* const size : {&y_size, &dx_size, &dw_size}) *size = std::sqrt(*size);
  }
  Values x, dy, w, y, dx, dw;
  double y_size = 0, dx_size = 0, dw_size = 0;
};

/// Of the three passes, relative to the sizes of Reference.
struct PassErrors {
  double forward = 0, backward_data = 0, backward_weights = 0;
};

/// The passes overwrite what was there, not even NaN matters; or they add to dy, x and w.
template <class T>
PassErrors errors_of_passes(const TestLayer& layer, const Reference& exact, bool add) {
  const std::vector<float> w = blocked_weights(exact.w, layer);
  const std::vector<T> x = blocked<T>(exact.x, layer), dy = blocked<T>(exact.dy, layer);
  Values expected_y = exact.y, expected_dx = exact.dx, expected_dw = exact.dw;
  std::vector<T> y = dy, dx = x;
  Values dw = exact.w;
  if (add) {
    add_to(expected_y, exact.dy);
    add_to(expected_dx, exact.x);
    add_to(expected_dw, exact.w);
  } else {
    const T nan = stored<T>(std::numeric_limits<double>::quiet_NaN());
    std::ranges::fill(y, nan);
    std::ranges::fill(dx, nan);
    std::ranges::fill(dw, 0.0);
  }
  y = convolve(layer, Direction::kForward, x, w, add, std::move(y));
  dx = convolve(layer, Direction::kBackwardData, dy, w, add, std::move(dx));
  dw = weight_gradient(layer, x, dy, std::move(dw));
  return {.forward = distance(canonical(y, layer), expected_y) / exact.y_size,
          .backward_data = distance(canonical(dx, layer), expected_dx) / exact.dx_size,
          .backward_weights = distance(dw, expected_dw) / exact.dw_size};
}

}  // namespace localbatch::winograd
