#include "data/images.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "core/error.h"

namespace localbatch {

namespace {

/// byte -> (byte - mean) * scale. Subtracting first leaves the compiler nothing to fuse, so vector
/// bodies, their tails and all instruction sets give the same bits.
struct ChannelScale {
  float mean;
  float scale;

  ChannelScale(const ImageFormat& format, std::size_t channel)
      : mean(255.0F * format.mean[channel]), scale(1.0F / (255.0F * format.stddev[channel])) {}

  float operator()(std::uint8_t byte) const { return (static_cast<float>(byte) - mean) * scale; }
};

// The scale comes by value: behind a reference the compiler would have to fear that writing a pixel
// changes it, and would do one pixel at a time.
void normalize(ChannelScale scale, const std::uint8_t* from, int n, float* to) {
  for (int i = 0; i < n; ++i) to[i] = scale(from[i]);
}

void normalize_mirrored(ChannelScale scale, const std::uint8_t* from, int n, float* to) {
  for (int i = 0; i < n; ++i) to[n - 1 - i] = scale(from[i]);
}

/// Keeps a row of the original between |dx| black pixels on either side: whatever the offset is, a
/// row is normalized in one piece and a row of the crop is one copy.
void write_channel(const ImageShape& shape, const Crop& crop, ChannelScale scale,
                   const std::uint8_t* from, float* to) {
  const int width = shape.width, margin = std::abs(crop.dx);
  const float black = scale(0);
  std::vector<float> padded(static_cast<std::size_t>(width + 2 * margin), black);
  float* const inside = padded.data() + margin;
  const float* const window = inside + (crop.mirrored ? -crop.dx : crop.dx);
  for (int y = 0; y < shape.height; ++y, to += width) {
    const int row = y + crop.dy;
    if (row < 0 || row >= shape.height) {
      std::fill_n(to, width, black);
      continue;
    }
    const std::uint8_t* const pixels = from + std::ptrdiff_t{row} * width;
    if (crop.mirrored)
      normalize_mirrored(scale, pixels, width, inside);
    else
      normalize(scale, pixels, width, inside);
    std::copy_n(window, width, to);
  }
}

}  // namespace

RandomStream augmentation_stream(std::uint64_t seed, const Draw& draw) {
  const std::uint64_t image = (std::uint64_t{draw.epoch} << 32) | draw.sample;
  return {seed, Purpose::kAugmentation, image};
}

void write_image(const ImageFormat& format, std::span<const std::uint8_t> bytes, const Crop& crop,
                 std::span<std::byte> image) {
  check(image.size() == bytes.size() * sizeof(float), "an image is written to memory of its size");
  auto* const to = reinterpret_cast<float*>(image.data());
  const std::size_t plane = format.shape.size() / static_cast<std::size_t>(format.shape.channels);
  for (std::size_t c = 0; c * plane < bytes.size(); ++c)
    write_channel(format.shape, crop, ChannelScale(format, c), bytes.data() + c * plane,
                  to + c * plane);
}

Augmentation read_augmentation(Options& options) {
  Augmentation augmentation;
  augmentation.pad_crop = static_cast<int>(options.integer(
      "pad_crop",
      {.fallback = 0,
       .min = 0,
       .max = 16,
       .meaning = "pixels of black added on every side of a training image before it is "
                  "cropped to its old size at a random place; 0 turns cropping off"}));
  augmentation.flip = options.flag(
      "flip",
      {.fallback = false,
       .meaning = "whether training images are mirrored left and right with probability 1/2"});
  augmentation.random_resized_crop = options.flag(
      "random_resized_crop",
      {.fallback = false,
       .meaning = "for images in files (imagenet): whether a random part of a training image is "
                  "seen, 0.08 to 1 of its area and 3/4 to 4/3 as wide as high; without it the "
                  "middle, as in evaluations"});
  return augmentation;
}

}  // namespace localbatch
