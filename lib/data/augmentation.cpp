#include "data/augmentation.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "data/image_folder.h"

namespace localbatch {

namespace {

/// byte -> (byte - mean) * scale. Subtracting first leaves the compiler nothing to fuse, so vector
/// bodies, their tails and all instruction sets give the same bits.
struct ChannelScale {
  float mean;
  float scale;

  ChannelScale(const Dataset& dataset, std::size_t channel)
      : mean(255.0F * dataset.mean[channel]), scale(1.0F / (255.0F * dataset.stddev[channel])) {}

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

/// A window of the padded image: column x of the result shows column x + dx of the original.
struct Crop {
  int dy = 0;
  int dx = 0;
  bool mirrored = false;
};

RandomStream random_of(std::uint64_t seed, Draw draw) {
  const std::uint64_t image = (std::uint64_t{draw.epoch} << 32) | draw.sample;
  return {seed, Purpose::kAugmentation, image};
}

Crop draw_crop(const Augmentation& augmentation, RandomStream random) {
  const auto offsets = static_cast<std::uint32_t>(2 * augmentation.pad_crop + 1);
  const int dy = static_cast<int>(random.below(offsets)) - augmentation.pad_crop;
  const int dx = static_cast<int>(random.below(offsets)) - augmentation.pad_crop;
  return {.dy = dy, .dx = dx, .mirrored = random.below(2) == 1 && augmentation.flip};
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

void write_image(const Dataset& dataset, std::span<const std::uint8_t> bytes, const Crop& crop,
                 std::span<float> image) {
  check(image.size() == bytes.size(), "an image is written to an array of its size");
  const std::size_t plane = dataset.shape.size() / static_cast<std::size_t>(dataset.shape.channels);
  for (std::size_t c = 0; c * plane < bytes.size(); ++c)
    write_channel(dataset.shape, crop, ChannelScale(dataset, c), bytes.data() + c * plane,
                  image.data() + c * plane);
}

void write_file_image(const Dataset& dataset, const Augmentation& augmentation, std::uint64_t seed,
                      Draw draw, std::span<float> image) {
  ImageFiles& files = *dataset.train.files;
  const FileSettings& settings = files.settings();
  RandomStream random = random_of(seed, draw);
  const bool mirrored = random.below(2) == 1 && augmentation.flip;
  std::vector<std::uint8_t> bytes(dataset.shape.size());
  files.read(
      draw.sample,
      [&](int width, int height) {
        return augmentation.random_resized_crop
                   ? random_resized_crop(width, height, settings.size, random)
                   : centre_crop(width, height, settings.resize, settings.size);
      },
      bytes);
  write_image(dataset, bytes, {.mirrored = mirrored}, image);
}

}  // namespace

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

void check_augmentation(const Augmentation& augmentation, const Dataset& dataset) {
  if (dataset.train.files && augmentation.pad_crop > 0)
    fail_input(
        "augmentation.pad_crop: found {}, which is for images in memory; allowed is 0, and "
        "'random_resized_crop: true' for images in files",
        augmentation.pad_crop);
  if (!dataset.train.files && augmentation.random_resized_crop)
    fail_input(
        "augmentation.random_resized_crop: found true, which is for images in files (dataset: "
        "imagenet); allowed is false, and pad_crop for images in memory");
}

void prepare_training_image(const Dataset& dataset, const Augmentation& augmentation,
                            std::uint64_t seed, Draw draw, std::span<float> image) {
  if (dataset.train.files) return write_file_image(dataset, augmentation, seed, draw, image);
  write_image(dataset, dataset.image(dataset.train, draw.sample),
              draw_crop(augmentation, random_of(seed, draw)), image);
}

bool prepare_test_image(const Dataset& dataset, std::size_t index, std::span<float> image) {
  if (!dataset.test.files) {
    write_image(dataset, dataset.image(dataset.test, index), Crop{}, image);
    return true;
  }
  const FileSettings& settings = dataset.test.files->settings();
  std::vector<std::uint8_t> bytes(dataset.shape.size());
  const auto middle = [&](int width, int height) {
    return centre_crop(width, height, settings.resize, settings.size);
  };
  if (!dataset.test.files->try_read(index, middle, bytes)) return false;
  write_image(dataset, bytes, Crop{}, image);
  return true;
}

}  // namespace localbatch
