#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "core/random.h"
#include "data/images.h"
#include "fixtures.h"

using namespace localbatch;

namespace {

/// `count` images of random bytes, the same in both sets.
ResidentImages random_images(const ImageShape& shape, std::size_t count) {
  ImageFormat format{.shape = shape, .num_classes = 1, .mean = {}, .stddev = {}};
  for (int c = 0; c < shape.channels; ++c) {
    format.mean.push_back(0.4F + 0.05F * static_cast<float>(c));
    format.stddev.push_back(0.2F + 0.03F * static_cast<float>(c));
  }
  ImageSet set;
  RandomStream random(1, Purpose::kTest);
  for (std::size_t i = 0; i < count * shape.size(); ++i)
    set.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
  set.labels.assign(count, 0);
  return {format, set, set, {}};
}

/// The definition, pixel by pixel in double: pad with byte 0, cut at (dy, dx), mirror, normalize.
std::vector<double> reference(const ResidentImages& dataset, std::size_t index, int pad, int dy,
                              int dx, bool mirrored) {
  const auto bytes = dataset.image(dataset.train(), index);
  const auto [channels, height, width] = dataset.format().shape;
  std::vector<double> image;
  for (int c = 0; c < channels; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const int row = y + dy - pad, column = (mirrored ? width - 1 - x : x) + dx - pad;
        const bool inside = 0 <= row && row < height && 0 <= column && column < width;
        const double byte = inside ? bytes[(c * height + row) * width + column] : 0;
        image.push_back((byte / 255 - double{dataset.format().mean[c]}) /
                        double{dataset.format().stddev[c]});
      }
  return image;
}

bool close(const std::vector<float>& image, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < image.size(); ++i)
    if (!(std::abs(double{image[i]} - expected[i]) < 1e-5)) return false;
  return image.size() == expected.size();
}

std::vector<float> prepared(const ResidentImages& dataset, const Augmentation& augmentation,
                            std::uint64_t seed, Draw draw) {
  return training_image(
      ResidentImages(dataset.format(), dataset.train(), dataset.test(), augmentation), seed, draw);
}

/// Which crop and mirroring an image shows: {dy, dx, mirrored}, or nothing that is allowed.
std::vector<int> find_crop(const ResidentImages& dataset, const std::vector<float>& image,
                           std::size_t index, int pad) {
  for (int dy = 0; dy <= 2 * pad; ++dy)
    for (int dx = 0; dx <= 2 * pad; ++dx)
      for (const int mirrored : {0, 1})
        if (close(image, reference(dataset, index, pad, dy, dx, mirrored == 1)))
          return {dy, dx, mirrored};
  return {};
}

}  // namespace

TEST_CASE("without augmentation an image is normalized and nothing else") {
  const ResidentImages dataset = random_images({.channels = 3, .height = 5, .width = 7}, 4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::vector<double> expected = reference(dataset, i, 0, 0, 0, false);
    const std::vector<float> train = prepared(dataset, {}, 1, {.epoch = 2, .sample = i});
    CHECK(close(train, expected));
    CHECK(train == test_image(dataset, i));
  }
}

TEST_CASE("every training image is some allowed crop of the image in black, perhaps mirrored") {
  for (const ImageShape shape : {ImageShape{3, 8, 9}, ImageShape{1, 6, 6}, ImageShape{2, 3, 2}}) {
    const ResidentImages dataset = random_images(shape, 1);
    constexpr int kPad = 2;
    std::set<std::vector<int>> seen;
    for (std::uint32_t epoch = 0; epoch < 400; ++epoch) {
      const auto image = prepared(dataset, {.pad_crop = kPad, .flip = true}, 1, {epoch, 0});
      const std::vector<int> crop = find_crop(dataset, image, 0, kPad);
      REQUIRE_FALSE(crop.empty());
      seen.insert(crop);
    }
    // All 5 x 5 x 2 turn up: a given one is missing with odds (1 - 1/50)^400 = 3e-4, and the
    // smallest shape hides some of them in black.
    if (shape.width > 2 * kPad) CHECK(seen.size() == 50);
  }
}

TEST_CASE("crop offsets and flips are uniform") {
  const ResidentImages dataset = random_images({.channels = 1, .height = 4, .width = 5}, 1);
  constexpr int kPad = 1, kDraws = 9000;
  int flips = 0;
  std::vector<int> offsets(9);
  for (std::uint32_t epoch = 0; epoch < kDraws; ++epoch) {
    const auto image = prepared(dataset, {.pad_crop = kPad, .flip = true}, 3, {epoch, 0});
    const std::vector<int> crop = find_crop(dataset, image, 0, kPad);
    REQUIRE(crop.size() == 3);
    ++offsets[crop[0] * 3 + crop[1]];
    flips += crop[2];
  }
  // Five standard deviations of binomial counts.
  CHECK(std::abs(flips - kDraws / 2) < 5 * std::sqrt(kDraws * 0.25));
  for (const int count : offsets)
    CHECK(std::abs(count - kDraws / 9) < 5 * std::sqrt(kDraws * (1.0 / 9) * (8.0 / 9)));
}

TEST_CASE("an augmented image is a function of seed, epoch and sample alone") {
  const ResidentImages dataset = random_images({.channels = 3, .height = 16, .width = 16}, 3);
  const Augmentation augmentation{.pad_crop = 4, .flip = true};
  const Draw draw{.epoch = 5, .sample = 2};
  const std::vector<float> image = prepared(dataset, augmentation, 1, draw);
  prepared(dataset, augmentation, 9, {.epoch = 1, .sample = 0});
  CHECK(prepared(dataset, augmentation, 1, draw) == image);

  std::set<std::vector<int>> by_epoch, by_seed;
  for (std::uint32_t i = 0; i < 20; ++i) {
    by_epoch.insert(find_crop(dataset, prepared(dataset, augmentation, 1, {i, 2}), 2, 4));
    by_seed.insert(find_crop(dataset, prepared(dataset, augmentation, i, draw), 2, 4));
  }
  CHECK(by_epoch.size() > 10);
  CHECK(by_seed.size() > 10);
}

TEST_CASE("samples of one epoch are cropped independently of each other") {
  const ResidentImages dataset = random_images({.channels = 1, .height = 16, .width = 16}, 20);
  std::set<std::vector<int>> seen;
  for (std::uint32_t i = 0; i < 20; ++i)
    seen.insert(
        find_crop(dataset, prepared(dataset, {.pad_crop = 4, .flip = true}, 1, {0, i}), i, 4));
  CHECK(seen.size() > 10);
}

TEST_CASE("turning flips on leaves crops as they were, and the other way round") {
  const ResidentImages dataset = random_images({.channels = 1, .height = 9, .width = 9}, 1);
  int flips = 0;
  for (std::uint32_t epoch = 0; epoch < 30; ++epoch) {
    const Draw draw{epoch, 0};
    const auto both =
        find_crop(dataset, prepared(dataset, {.pad_crop = 3, .flip = true}, 1, draw), 0, 3);
    const auto crop = find_crop(dataset, prepared(dataset, {.pad_crop = 3}, 1, draw), 0, 3);
    const auto flip = find_crop(dataset, prepared(dataset, {.flip = true}, 1, draw), 0, 0);
    REQUIRE(both.size() == 3);
    CHECK(crop == std::vector<int>{both[0], both[1], 0});
    CHECK(flip == std::vector<int>{0, 0, both[2]});
    flips += both[2];
  }
  CHECK(flips > 0);
  CHECK(flips < 30);
}

TEST_CASE("augmentation is off unless it is asked for, and its range is checked") {
  const Node empty = mapping({});
  Options defaults(empty);
  const Augmentation off = read_augmentation(defaults);
  CHECK(off.pad_crop == 0);
  CHECK_FALSE(off.flip);

  const Node given = mapping({{"pad_crop", "4"}, {"flip", "true"}});
  Options options(given);
  const Augmentation on = read_augmentation(options);
  options.finish();
  CHECK(on.pad_crop == 4);
  CHECK(on.flip);

  const Node wrong = mapping({{"pad_crop", "17"}});
  CHECK(contains(input_error([&] {
                   Options too_much(wrong);
                   read_augmentation(too_much);
                 }),
                 "pad_crop: found 17, allowed is 0 .. 16"));
}
