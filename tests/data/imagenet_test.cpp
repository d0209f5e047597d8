#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "data/dataset.h"
#include "data/image_folder.h"
#include "data/image_folder_fixture.h"
#include "data/jpeg.h"
#include "data/view.h"

using namespace localbatch;

namespace fs = std::filesystem;

namespace {

constexpr Augmentation kRandom{.flip = true, .random_resized_crop = true};

std::vector<float> mirrored(const ImageFolder& dataset, const std::vector<float>& image) {
  std::vector<float> turned = image;
  const auto width = static_cast<std::ptrdiff_t>(dataset.format().shape.width);
  for (auto row = turned.begin(); row != turned.end(); row += width) std::reverse(row, row + width);
  return turned;
}

/// What the SystemError of `action` says, or a line that no test expects.
template <class Action>
std::string system_error(const Action& action) {
  try {
    action();
  } catch (const SystemError& error) {
    return error.what();
  }
  return "(no SystemError)";
}

}  // namespace

TEST_CASE("a folder of images has its classes and files in the order of their names") {
  const SmallImageNet small;
  const ImageFolder dataset = small.load();
  CHECK(dataset.format().num_classes == 2);
  CHECK(dataset.format().shape == ImageShape{.channels = 3, .height = 32, .width = 32});
  CHECK(dataset.train().list().labels() ==
        std::vector<Label>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(dataset.test().list().labels() == std::vector<Label>{0, 0, 0, 1, 1, 1});
  const FileList& train = dataset.train().list();
  CHECK(train.path(0) == small.root() / "train/apple/0.JPEG");
  CHECK(train.path(9) == small.root() / "train/pear/1.jpg");
  CHECK(dataset.test().list().path(5) == small.root() / "val/pear/2.JPEG");
  CHECK(dataset.bytes() < 1000);
  CHECK(dataset.settings().resize == 37);
}

TEST_CASE("the checksum of a folder sees names and sizes, and nothing else") {
  const SmallImageNet small;
  const std::uint64_t before = small.load().checksum();
  CHECK(small.load({{"resize", "64"}}).checksum() == before);
  small.add("train/apple/notes.txt", {'x', 'y'});
  CHECK(small.load().checksum() == before);
  small.cut("val/pear/0.JPEG", 100);
  const std::uint64_t cut = small.load().checksum();
  CHECK(cut != before);
  fs::rename(small.root() / "train/apple/0.JPEG", small.root() / "train/apple/00.JPEG");
  CHECK(small.load().checksum() != cut);
}

TEST_CASE("an evaluated image is the middle of the file's pixels, normalized") {
  const SmallImageNet small;
  const RgbImage image = smooth_image(48, 32, 5);
  small.add("val/apple/0.JPEG", jpeg_bytes(image));
  const Keys keys{{"resize", "32"}};
  const ImageFolder dataset = small.load(keys);
  const std::vector<float> found = test_image(dataset, 0);
  double sum = 0;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x) {
        const double byte =
            255 * (double{found[(c * 32 + y) * 32 + x]} * dataset.format().stddev[c] +
                   double{dataset.format().mean[c]});
        sum += std::abs(byte - image.pixel(y, x + 8)[c]);
      }
  CHECK(sum / (3 * 32 * 32) < 2);
  // Without a crop of its own a training image is the same, but for the flip.
  small.add("train/apple/0.JPEG", jpeg_bytes(image));
  CHECK(training_image(dataset, 1, {}) == found);
  const ImageFolder flipped = small.load(keys, {.flip = true});
  const ImageFolder cropped = small.load(keys, {.random_resized_crop = true});
  const ImageFolder changed = small.load(keys, kRandom);
  int flips = 0;
  for (std::uint32_t epoch = 0; epoch < 40; ++epoch) {
    const auto turned = training_image(flipped, 1, {epoch, 0});
    const bool is_mirrored = turned == mirrored(dataset, found);
    REQUIRE((is_mirrored || turned == found));
    flips += is_mirrored ? 1 : 0;
    // The flip stays the same under a random crop.
    const auto crop = training_image(cropped, 1, {epoch, 0});
    const auto both = training_image(changed, 1, {epoch, 0});
    CHECK(both == (is_mirrored ? mirrored(dataset, crop) : crop));
  }
  CHECK(flips > 8);
  CHECK(flips < 32);
}

TEST_CASE("every image gives the same numbers to all threads, whatever they did before") {
  const SmallImageNet small;
  const ImageFolder dataset = small.load({{"exif_orientation", "apply"}}, kRandom);
  const auto images = [&](std::uint32_t first) {
    std::vector<std::vector<float>> found(32);
    for (std::uint32_t i = 0; i < 32; ++i) {
      const std::uint32_t k = (i + first) % 32;
      found[k] = training_image(dataset, 1, {.epoch = k / 16, .sample = k % 16});
    }
    return found;
  };
  const auto expected = images(0);
  std::vector<std::vector<std::vector<float>>> found(4);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t i = 0; i < 4; ++i)
      threads.emplace_back([&, i] { found[i] = images(7 * i); });
  }
  for (const auto& of_thread : found) CHECK(of_thread == expected);
  CHECK(expected[1] != expected[17]);  // another epoch
  for (const std::vector<float>& image : expected)
    for (const float value : image) REQUIRE(std::abs(value) < 3);
}

TEST_CASE("what a camera says about its orientation is ignored unless it is to be applied") {
  const SmallImageNet small;
  const RgbImage image = smooth_image(32, 32, 5);
  small.add("val/apple/0.JPEG", jpeg_bytes(image));
  small.add("val/apple/1.jpg", jpeg_bytes(image, JpegKind::kColour, 2));
  const ImageFolder ignored = small.load({{"resize", "32"}});
  CHECK(test_image(ignored, 1) == test_image(ignored, 0));
  const ImageFolder applied = small.load({{"resize", "32"}, {"exif_orientation", "apply"}});
  CHECK(test_image(applied, 0) == test_image(ignored, 0));
  CHECK(test_image(applied, 1) == mirrored(applied, test_image(ignored, 0)));

  const std::vector<unsigned char> turned =
      jpeg_bytes(smooth_image(60, 32, 5), JpegKind::kColour, 6);
  small.add("val/apple/2.JPEG", turned);
  const RgbImage tall = upright(JpegReader(turned).decode(1), 6);
  std::vector<std::uint8_t> expected(applied.format().shape.size());
  resample(tall, centre_crop(32, 60, 32, 32), expected);
  const std::vector<float> found = test_image(applied, 2);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::size_t c = i / 1024;
    REQUIRE(found[i] == doctest::Approx((expected[i] / 255.0 - double{applied.format().mean[c]}) /
                                        double{applied.format().stddev[c]})
                            .epsilon(1e-4));
  }
}

TEST_CASE("a damaged file ends a run and is named, a mistake as in any other data file") {
  const SmallImageNet small;
  small.cut("train/apple/3.jpg", 400);
  ImageFolder dataset = small.load();
  training_image(dataset, 1, {.epoch = 0, .sample = 2});
  const std::string text =
      input_error([&] { training_image(dataset, 1, {.epoch = 0, .sample = 3}); });
  CHECK(contains(text, (small.root() / "train/apple/3.jpg").string() + ": damaged image: "));
  CHECK_FALSE(contains(text, "\n"));
  CHECK(dataset.take_warnings().empty());
}

TEST_CASE("a damaged file that is skipped is replaced in training and left out of evaluations") {
  const SmallImageNet small;
  const ImageFolder before = small.load();
  for (const std::string name : {"train/apple/5.jpg", "train/apple/7.jpg", "val/pear/1.jpg"})
    small.cut(name, 300);
  ImageFolder dataset = small.load({{"damaged_files", "skip"}});
  CHECK(dataset.train().list().labels() == before.train().list().labels());
  // The next one of the class, or its first. The crop is the damaged one's own, so there is none.
  for (int i = 0; i < 2; ++i)
    for (const auto& [damaged, replacement] : {std::pair{5U, 6U}, {7U, 0U}})
      CHECK(training_image(dataset, 1, {0, damaged}) ==
            training_image(before, 1, {0, replacement}));
  std::vector<std::string> reports = dataset.take_warnings();
  CHECK(reports.size() == 2);
  CHECK(dataset.take_warnings().empty());

  BatchMemory memory(dataset.sample_shape(), 1);
  CHECK(dataset.write_test_sample(3, memory.place(0)));
  CHECK_FALSE(dataset.write_test_sample(4, memory.place(0)));
  CHECK_FALSE(dataset.write_test_sample(4, memory.place(0)));
  reports = dataset.take_warnings();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports.front(), (small.root() / "val/pear/1.jpg").string() + ": skipped: "));
}

TEST_CASE("a file that is gone, or a class without an undamaged file, ends a run in any case") {
  const SmallImageNet small;
  const ImageFolder dataset = small.load({{"damaged_files", "skip"}});
  fs::remove(small.root() / "train/apple/0.JPEG");
  CHECK(contains(system_error([&] { training_image(dataset, 1, {}); }),
                 "apple/0.JPEG: no such file"));
  for (int i = 0; i < 8; ++i)
    small.cut("train/pear/" + std::to_string(i) + (i % 2 == 0 ? ".JPEG" : ".jpg"), 10);
  CHECK(contains(input_error([&] { training_image(dataset, 1, {.epoch = 0, .sample = 12}); }),
                 "train/pear: all images in this folder are damaged"));
}

TEST_CASE("a folder that is no ImageNet is refused with what is wrong in it") {
  const auto refusal = [](const auto& change) {
    const SmallImageNet small;
    change(small);
    return input_error([&] { small.load(); });
  };
  using Small = const SmallImageNet&;
  CHECK(contains(refusal([](Small small) { fs::remove_all(small.root() / "val"); }),
                 "val': no such folder"));
  CHECK(contains(refusal([](Small small) { small.add("val/plum/1.JPEG", {'x'}); }),
                 "val/plum: no class of train has this name"));
  CHECK(contains(refusal([](Small small) { fs::create_directory(small.root() / "train/plum"); }),
                 "train/plum: holds no image"));
  CHECK(contains(refusal([](Small small) {
                   fs::remove_all(small.root() / "val/pear");
                   fs::remove_all(small.root() / "val/apple");
                   small.add("val/1.JPEG", {'x'});
                 }),
                 "val: holds no class folders"));
  const SmallImageNet small;
  CHECK(contains(input_error([&] {
                   small.load({{"resize", "31"}});
                 }),
                 "resize: found 31, allowed is at least size = 32"));
}

TEST_CASE("crops belong to images in memory or to those in files") {
  const SmallImageNet small;
  const Keys in_memory{{"name", "synthetic"}, {"train_samples", "10"}};
  small.load({}, kRandom);
  load(in_memory, {.pad_crop = 4, .flip = true});
  CHECK(contains(input_error([&] { small.load({}, {.pad_crop = 4}); }),
                 "augmentation.pad_crop: found 4, which is for images in memory"));
  CHECK(contains(input_error([&] { load(in_memory, kRandom); }),
                 "augmentation.random_resized_crop: found true, which is for images in files"));
}
