#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/batch.h"
#include "core/options.h"
#include "core/random.h"
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

/// Random changes of training images. Each data set owns the changes that it can make, and refuses
/// the others when it is made.
struct Augmentation {
  /// Pixels of black (byte 0, so -mean/stddev after normalization) put on every side before a crop
  /// of the old size is taken at random: RandomCrop(size, padding) of torchvision, which works on
  /// bytes and therefore pads before it normalizes. For images in memory.
  int pad_crop = 0;
  bool flip = false;  ///< mirror left and right with probability 1/2, after the crop
  /// A random part of an image (data/view.h) instead of the middle that is evaluated. For images in
  /// files, which are cut to one size in any case.
  bool random_resized_crop = false;
};

/// Reads `pad_crop`, `flip` and `random_resized_crop`.
Augmentation read_augmentation(Options& options);

}  // namespace localbatch
