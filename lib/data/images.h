#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/shape.h"
#include "data/sampler.h"

namespace localbatch {

/// What a reader needs to know about the images of a data set.
struct ImageFormat {
  ImageShape shape;
  int num_classes = 0;
  /// Per channel, in units of a pixel divided by 255: a normalized value is
  /// (byte/255 - mean)/stddev.
  std::vector<float> mean, stddev;
};

/// A window of an image that is padded with black: column x of the result shows column x + dx of
/// the original.
struct Crop {
  int dy = 0;
  int dx = 0;
  bool mirrored = false;
};

/// The random numbers of one training image, keyed by (seed, epoch, sample).
RandomStream augmentation_stream(std::uint64_t seed, const Draw& draw);

/// Writes an image, given as bytes [channel][row][column], cropped and normalized, as f32.
void write_image(const ImageFormat& format, std::span<const std::uint8_t> bytes, const Crop& crop,
                 std::span<std::byte> image);

}  // namespace localbatch
