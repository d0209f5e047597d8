#include "data/held_out.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/image_folder_fixture.h"
#include "data/windows.h"
#include "fixtures.h"

using namespace localbatch;

namespace {

constexpr Augmentation kChanged{.pad_crop = 2, .flip = true};
constexpr std::size_t kNumbered = 60, kHeldOut = 13;

/// Images of 4 x 4 pixels, all alike but for a byte that is the number of the image; ten classes
/// that take turns.
std::unique_ptr<ResidentImages> numbered_images(const Augmentation& augmentation = {}) {
  const ImageShape shape{.channels = 1, .height = 4, .width = 4};
  ImageSet train;
  for (std::size_t i = 0; i < kNumbered; ++i) {
    for (std::size_t pixel = 0; pixel < shape.size(); ++pixel)
      train.pixels.push_back(pixel == 5 ? static_cast<std::uint8_t>(i) : 200);
    train.labels.push_back(static_cast<Label>(i % 10));
  }
  const ImageSet test{.pixels = std::vector<std::uint8_t>(shape.size(), 7), .labels = {3}};
  return std::make_unique<ResidentImages>(
      ImageFormat{.shape = shape, .num_classes = 10, .mean = {0}, .stddev = {1}}, train, test,
      augmentation);
}

/// The number of an image that is not augmented.
std::size_t number_of_image(const std::vector<float>& image) {
  return static_cast<std::size_t>(std::lround(255 * image[5]));
}

std::vector<float> validation_image(const Dataset& dataset, std::size_t index) {
  return floats_of(dataset, [&](const SamplePlace& place) {
    check(dataset.write_validation_sample(index, place), "an image in memory is not damaged");
  });
}

std::vector<std::size_t> held_out_of(const Dataset& dataset) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < dataset.validation_size(); ++i)
    numbers.push_back(number_of_image(validation_image(dataset, i)));
  return numbers;
}

std::vector<std::size_t> kept_in(const Dataset& dataset) {
  std::vector<std::size_t> numbers;
  for (std::uint32_t i = 0; i < dataset.train_size(); ++i)
    numbers.push_back(number_of_image(training_image(dataset, 1, {.epoch = 0, .sample = i})));
  return numbers;
}

TokenWindows long_text(std::size_t tokens, int length, bool random) {
  return {
      {.train = stream_of(places(tokens)), .test = stream_of(places(50)), .vocabulary = 1'000'000},
      {.length = length, .random = random},
      {},
      TokenScan::kAll};
}

Window validation_window(const Dataset& dataset, std::size_t index) {
  return window_of(dataset, [&](const SamplePlace& place) {
    check(dataset.write_validation_sample(index, place), "a window of text is never damaged");
  });
}

}  // namespace

TEST_CASE("what is held out is never drawn for training, all else once an epoch") {
  const std::unique_ptr<Dataset> dataset = hold_out(numbered_images(), kHeldOut);
  REQUIRE(dataset->train_size() == kNumbered - kHeldOut);
  REQUIRE(dataset->validation_size() == kHeldOut);
  CHECK(dataset->test_size() == 1);
  const std::vector<std::size_t> held_out = held_out_of(*dataset);
  const std::set<std::size_t> different(held_out.begin(), held_out.end());
  CHECK(different.size() == kHeldOut);
  constexpr int kWorkers = 3;
  std::map<std::uint32_t, std::multiset<std::size_t>> seen;
  for (int worker = 0; worker < kWorkers; ++worker) {
    Sampler sampler(static_cast<std::uint32_t>(dataset->train_size()), worker, kWorkers, 5);
    std::vector<Draw> draws(2 * dataset->train_size());  // six epochs of all workers together
    sampler.draw(draws);
    for (const Draw& draw : draws)
      seen[draw.epoch].insert(number_of_image(training_image(*dataset, 5, draw)));
  }
  REQUIRE(seen.size() == 6);
  for (const auto& [epoch, numbers] : seen)
    for (std::size_t i = 0; i < kNumbered; ++i)
      CHECK(numbers.count(i) == (different.contains(i) ? 0 : 1));
}

TEST_CASE("the same samples are held out each time, and more of them with these") {
  const std::vector<std::size_t> few = held_out_of(*hold_out(numbered_images(), kHeldOut)),
                                 many = held_out_of(*hold_out(numbered_images(), kNumbered - 1));
  CHECK(held_out_of(*hold_out(numbered_images(kChanged), kHeldOut)) == few);
  CHECK(std::ranges::is_sorted(few));
  CHECK(many.size() == kNumbered - 1);
  CHECK(std::ranges::includes(many, few));
  // Not the first or last ones, nor any other stretch.
  CHECK(few.back() - few.front() > 2 * kHeldOut);
}

TEST_CASE("what is held out is shown without augmentation, what is left as before") {
  const std::unique_ptr<ResidentImages> whole = numbered_images(kChanged);
  const std::vector<std::size_t> kept = kept_in(*hold_out(numbered_images(), kHeldOut));
  const std::unique_ptr<Dataset> dataset = hold_out(numbered_images(kChanged), kHeldOut);
  const std::unique_ptr<Dataset> plain = hold_out(numbered_images(), kHeldOut);
  for (std::size_t i = 0; i < kHeldOut; ++i)
    CHECK(validation_image(*dataset, i) == validation_image(*plain, i));
  int changed = 0;
  for (std::uint32_t i = 0; i < dataset->train_size(); ++i) {
    const auto in_whole = static_cast<std::uint32_t>(kept[i]);
    const std::vector<float> image = training_image(*dataset, 9, {.epoch = 4, .sample = i});
    CHECK(image == training_image(*whole, 9, {.epoch = 4, .sample = in_whole}));
    changed += image != training_image(*plain, 9, {.epoch = 4, .sample = i}) ? 1 : 0;
  }
  CHECK(changed > 30);
  CHECK(test_image(*dataset, 0) == test_image(*whole, 0));
}

TEST_CASE("classes and partitions are those of the samples that are left") {
  const std::unique_ptr<Dataset> dataset = hold_out(numbered_images(), kHeldOut);
  const std::vector<std::size_t> kept = kept_in(*dataset);
  REQUIRE(dataset->classes());
  CHECK(dataset->classes()->count == 10);
  REQUIRE(dataset->classes()->labels.size() == kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i)
    CHECK(dataset->classes()->labels[i] == kept[i] % 10);
  for (const Keys& keys : std::vector<Keys>{{{"partition", "by_class"}},
                                            {{"partition", "dirichlet"}, {"alpha", "1"}},
                                            {{"partition", "shards"}}}) {
    const Node file = mapping(keys);
    Options options(file);
    const Shares shares =
        read_partition(options)({.count = kept.size(), .classes = dataset->classes()}, 3, 1)
            .value();
    std::vector<std::uint32_t> all;
    for (const std::vector<std::uint32_t>& share : shares)
      all.insert(all.end(), share.begin(), share.end());
    std::ranges::sort(all);
    REQUIRE(all.size() == kept.size());
    for (std::uint32_t i = 0; i < all.size(); ++i) CHECK(all[i] == i);
  }
}

TEST_CASE("of a text the end is held out, and no window of training has a target there") {
  // 100 tokens in windows of 7: 13 an epoch, of which 4 x 7 targets are held out, the last ones.
  for (const bool random : {false, true}) {
    CAPTURE(random);
    const std::unique_ptr<Dataset> dataset =
        hold_out(std::make_unique<TokenWindows>(long_text(100, 7, random)), 4);
    CHECK(dataset->train_size() == 9);
    REQUIRE(dataset->validation_size() == 4);
    std::int32_t next = 100 - 4 * 7;
    for (std::size_t i = 0; i < 4; ++i) {
      const Window window = validation_window(*dataset, i);
      CHECK(window.inputs.front() == next - 1);
      for (const std::int32_t target : window.targets) CHECK(target == next++);
    }
    CHECK(next == 100);
    std::int32_t last = 0;
    for (std::uint32_t epoch = 0; epoch < 200; ++epoch)
      for (std::uint32_t i = 0; i < dataset->train_size(); ++i)
        last = std::max(last,
                        training_window(*dataset, 3, {.epoch = epoch, .sample = i}).targets.back());
    // Of the 72 tokens that are left, disjoint windows begin at 6 + 8 x 7 at most, random ones
    // at 64.
    CHECK(last == (random ? 64 + 7 : 6 + 8 * 7 + 7));
  }
  const TokenWindows whole = long_text(100, 7, false);
  const std::unique_ptr<Dataset> some =
      hold_out(std::make_unique<TokenWindows>(long_text(100, 7, false)), 4);
  for (std::uint32_t i = 0; i < some->train_size(); ++i)
    CHECK(training_window(*some, 3, {.epoch = 2, .sample = i}) ==
          training_window(whole, 3, {.epoch = 2, .sample = i}));
}

TEST_CASE("a checksum tells splits apart, and a data set from one that holds nothing out") {
  std::set<std::uint64_t> images{numbered_images()->checksum()},
      texts{long_text(100, 7, false).checksum()};
  for (const std::size_t held_out : {1U, 2U, 5U}) {
    images.insert(hold_out(numbered_images(), held_out)->checksum());
    texts.insert(
        hold_out(std::make_unique<TokenWindows>(long_text(100, 7, false)), held_out)->checksum());
  }
  CHECK(images.size() == 4);
  CHECK(texts.size() == 4);
  CHECK(hold_out(numbered_images(), 5)->checksum() == hold_out(numbered_images(), 5)->checksum());
}

TEST_CASE("one sample at least has to be left") {
  CHECK(input_error([] { hold_out(numbered_images(), kNumbered); }) ==
        "dataset.validation: found 60, allowed are at most 59 of the 60 training images, as one "
        "has to be left");
  CHECK(hold_out(numbered_images(), kNumbered - 1)->train_size() == 1);
  CHECK(contains(
      input_error([] { hold_out(std::make_unique<TokenWindows>(long_text(100, 7, true)), 13); }),
      "found 13, allowed are at most 12 of the 13 training sequences"));
}

TEST_CASE("images in files are held out, unless others may stand in for them") {
  const SmallImageNet small;
  const Augmentation views{.flip = true, .random_resized_crop = true};
  const auto folder = [&](const Keys& keys) {
    return std::make_unique<ImageFolder>(small.load(keys, views));
  };
  const std::unique_ptr<Dataset> dataset = hold_out(folder({}), 15);
  REQUIRE(dataset->train_size() == 1);
  const ImageFolder plain = small.load();
  std::size_t found = 0;
  for (std::uint32_t i = 0; i < 16; ++i) {
    const std::vector<float> image = training_image(plain, 1, {.epoch = 0, .sample = i});
    if (found < 15 && validation_image(*dataset, found) == image) ++found;
  }
  CHECK(found == 15);
  CHECK(contains(input_error([&] {
                   hold_out(folder({{"damaged_files", "skip"}}), 2);
                 }),
                 "dataset.validation: found 2 with 'damaged_files: skip'"));
}
