#include "bench/measure_data.h"

#include <cstdint>
#include <numeric>
#include <vector>

#include "core/aligned_buffer.h"
#include "data/augmentation.h"

namespace localbatch {

namespace {

constexpr std::uint32_t kImages = 50'000;
constexpr std::size_t kMicroBatch = 128;
constexpr std::uint64_t kSeed = 1;

Dataset random_dataset() {
  Dataset dataset;
  dataset.shape = {3, 32, 32};
  dataset.num_classes = 10;
  dataset.mean = {0.5F, 0.5F, 0.5F};
  dataset.stddev = {0.25F, 0.25F, 0.25F};
  dataset.train.labels.resize(kImages);
  dataset.train.pixels.reserve(kImages * dataset.shape.size());
  // Nobody looks at these pixels, but each image has a place of its own in memory.
  std::vector<std::uint8_t> image(dataset.shape.size());
  std::iota(image.begin(), image.end(), std::uint8_t{0});
  for (std::uint32_t i = 0; i < kImages; ++i)
    dataset.train.pixels.insert(dataset.train.pixels.end(), image.begin(), image.end());
  return dataset;
}

}  // namespace

DataSpeed measure_data(double seconds) {
  const Dataset dataset = random_dataset();
  const Augmentation augmentation{.pad_crop = 4, .flip = true};
  const std::size_t image_size = dataset.shape.size();
  AlignedBuffer<float> images(kMicroBatch * image_size);
  std::vector<Draw> draws(kMicroBatch);
  Sampler sampler(kImages, 0, 1, kSeed);
  const auto prepare_micro_batch = [&] {
    sampler.draw(draws);
    for (std::size_t i = 0; i < kMicroBatch; ++i)
      prepare_training_image(dataset, augmentation, kSeed, draws[i],
                             images.span().subspan(i * image_size, image_size));
  };
  prepare_micro_batch();
  DataSpeed speed;
  speed.images_per_second = measure_rate(seconds, kMicroBatch, prepare_micro_batch);
  return speed;
}

}  // namespace localbatch
