#include "bench/measure_data.h"

#include <cstdint>
#include <numeric>
#include <vector>

#include "core/aligned_buffer.h"
#include "data/augmentation.h"
#include "data/image_folder.h"

namespace localbatch {

namespace {

constexpr std::uint32_t kImages = 50'000;
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

Rate measure_preparation(const Dataset& dataset, const Augmentation& augmentation,
                         std::size_t micro_batch, double seconds) {
  const std::size_t image_size = dataset.shape.size();
  AlignedBuffer<float> images(micro_batch * image_size);
  std::vector<Draw> draws(micro_batch);
  Sampler sampler(static_cast<std::uint32_t>(dataset.train.size()), 0, 1, kSeed);
  const auto prepare_micro_batch = [&] {
    sampler.draw(draws);
    for (std::size_t i = 0; i < micro_batch; ++i)
      prepare_training_image(dataset, augmentation, kSeed, draws[i],
                             images.span().subspan(i * image_size, image_size));
  };
  prepare_micro_batch();
  return measure_rate(seconds, static_cast<double>(micro_batch), prepare_micro_batch);
}

}  // namespace

DataSpeed measure_data(double seconds) {
  constexpr std::size_t kMicroBatch = 128;
  DataSpeed speed;
  speed.images_per_second =
      measure_preparation(random_dataset(), {.pad_crop = 4, .flip = true}, kMicroBatch, seconds);
  return speed;
}

DataSpeed measure_files(double seconds, const std::filesystem::path& root) {
  constexpr std::size_t kMicroBatch = 16;
  DataSpeed speed;
  speed.network = "resnet101";
  speed.images_per_second =
      measure_preparation(read_image_folder(root, {}), {.flip = true, .random_resized_crop = true},
                          kMicroBatch, seconds);
  return speed;
}

}  // namespace localbatch
