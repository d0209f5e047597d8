#include "bench/measure_data.h"

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "data/image_folder.h"
#include "data/resident_images.h"

namespace localbatch {

namespace {

constexpr std::uint32_t kImages = 50'000;
constexpr std::uint64_t kDrawSeed = 1;

/// As many images as CIFAR-10 has. Nobody looks at their pixels, but each image has a place of its
/// own in memory.
ResidentImages many_images(const Augmentation& augmentation) {
  const ImageShape shape{.channels = 3, .height = 32, .width = 32};
  std::vector<std::uint8_t> image(shape.size());
  std::iota(image.begin(), image.end(), std::uint8_t{0});
  ImageSet train;
  train.labels.resize(kImages);
  train.pixels.reserve(kImages * shape.size());
  for (std::uint32_t i = 0; i < kImages; ++i)
    train.pixels.insert(train.pixels.end(), image.begin(), image.end());
  return {{.shape = shape,
           .num_classes = 10,
           .mean = {0.5F, 0.5F, 0.5F},
           .stddev = {0.25F, 0.25F, 0.25F}},
          std::move(train),
          {},
          augmentation};
}

Rate measure_preparation(const Dataset& dataset, int micro_batch, double seconds) {
  BatchMemory memory(dataset.sample_shape(), micro_batch);
  std::vector<Draw> draws(micro_batch);
  Sampler sampler(static_cast<std::uint32_t>(dataset.train_size()), 0, 1, kDrawSeed);
  const auto prepare_micro_batch = [&] {
    sampler.draw(draws);
    for (std::size_t i = 0; i < draws.size(); ++i)
      dataset.write_training_sample(draws[i], kDrawSeed, memory.place(i));
  };
  prepare_micro_batch();
  return measure_rate(seconds, static_cast<double>(micro_batch), prepare_micro_batch);
}

}  // namespace

DataSpeed measure_data(double seconds) {
  constexpr int kMicroBatch = 128;
  DataSpeed speed;
  speed.images_per_second =
      measure_preparation(many_images({.pad_crop = 4, .flip = true}), kMicroBatch, seconds);
  return speed;
}

DataSpeed measure_files(double seconds, const std::filesystem::path& root) {
  constexpr int kMicroBatch = 16;
  const ImageFolder folder({.root = root}, {.flip = true, .random_resized_crop = true});
  DataSpeed speed;
  speed.network = "resnet101";
  speed.images_per_second = measure_preparation(folder, kMicroBatch, seconds);
  return speed;
}

}  // namespace localbatch
