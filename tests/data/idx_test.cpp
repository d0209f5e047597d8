#include "data/idx.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <zlib.h>

#include <array>

#include "fixtures.h"
#include "official_files.h"

using namespace localbatch;

namespace {

using Bytes = std::vector<unsigned char>;

constexpr ImageShape kShape{.channels = 1, .height = 2, .width = 3};

void append_word(Bytes& bytes, std::uint32_t word) {
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<unsigned char>(word >> shift));
}

Bytes idx_file(const std::vector<std::uint32_t>& header, std::size_t body, unsigned char step = 1) {
  Bytes bytes;
  for (const std::uint32_t word : header) append_word(bytes, word);
  for (std::size_t i = 0; i < body; ++i) bytes.push_back(static_cast<unsigned char>(i * step));
  return bytes;
}

const Bytes kImages = idx_file({0x803, 3, 2, 3}, 18, 5);
const Bytes kLabels = idx_file({0x801, 3}, 3);

Bytes gzipped(const Bytes& bytes) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<unsigned char*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// What is wrong with a pair of files, without the path of the one that is named.
std::string pair_error(const Bytes& images, const Bytes& labels) {
  const ScratchFolder folder;
  const auto image_path = folder.write("images", images),
             label_path = folder.write("labels", labels);
  const std::string text = input_error([&] { read_idx_pair(image_path, label_path, kShape, 10); });
  CHECK(contains(text, folder.path().string()));
  const std::string prefix = folder.path().string() + "/";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace

TEST_CASE("a pair of idx files is read plain or gzipped, in any mixture") {
  const ScratchFolder folder;
  for (const bool zipped_images : {false, true})
    for (const bool zipped_labels : {false, true}) {
      const ImageSet set = read_idx_pair(
          folder.write("images", zipped_images ? gzipped(kImages) : kImages),
          folder.write("labels", zipped_labels ? gzipped(kLabels) : kLabels), kShape, 10);
      CHECK(set.labels == std::vector<Label>{0, 1, 2});
      REQUIRE(set.pixels.size() == 18);
      for (std::size_t i = 0; i < 18; ++i) CHECK(set.pixels[i] == 5 * i);
    }
}

TEST_CASE("wrong magic numbers are shown with the right ones") {
  CHECK(
      pair_error(kLabels, kLabels).starts_with("images: found 11 bytes (uncompressed), expected"));
  CHECK(pair_error(idx_file({0x801, 3, 2, 3}, 18), kLabels) ==
        "images: found magic number 0x00000801, expected 0x00000803");
  CHECK(pair_error(kImages, kImages) ==
        "labels: found magic number 0x00000803, expected 0x00000801");
}

TEST_CASE("truncated and trailing bytes are refused, plain and gzipped") {
  for (const bool longer : {false, true}) {
    Bytes images = kImages, labels = kLabels;
    images.resize(longer ? 35 : 33);
    labels.resize(longer ? 12 : 10);
    const std::string of_images =
        longer
            ? "images: found 35 bytes (uncompressed), expected 34: a header of 16 and 3 items of 6"
            : "images: found 33 bytes (uncompressed), expected 34: a header of 16 and 3 items of 6";
    const std::string of_labels =
        longer
            ? "labels: found 12 bytes (uncompressed), expected 11: a header of 8 and 3 items of 1"
            : "labels: found 10 bytes (uncompressed), expected 11: a header of 8 and 3 items of 1";
    CHECK(pair_error(images, kLabels) == of_images);
    CHECK(pair_error(gzipped(images), kLabels) == of_images);
    CHECK(pair_error(kImages, labels) == of_labels);
    CHECK(pair_error(kImages, gzipped(labels)) == of_labels);
  }
  CHECK(contains(pair_error({}, kLabels), "images: found 0 bytes"));
}

TEST_CASE("absurd headers are refused without being believed") {
  CHECK(
      pair_error(idx_file({0x803, 0xFFFFFFFF, 2, 3}, 18), kLabels) ==
      "images: found 34 bytes (uncompressed), expected 25769803786: a header of 16 and 4294967295 "
      "items of 6");
  CHECK(pair_error(idx_file({0x803, 3, 0xFFFFFFFF, 0xFFFFFFFF}, 18), kLabels) ==
        "images: found images of 4294967295 x 4294967295 pixels, expected 2 x 3");
  CHECK(pair_error(idx_file({0x803, 3, 3, 2}, 18), kLabels) ==
        "images: found images of 3 x 2 pixels, expected 2 x 3");
  CHECK(contains(pair_error(kImages, idx_file({0x801, 0xFFFFFFFF}, 3)), "expected 4294967303"));
  CHECK(pair_error(idx_file({0x803, 0, 2, 3}, 0), kLabels) ==
        "images: found 0 items, expected at least 1");
}

TEST_CASE("the number of labels is the number of images") {
  CHECK(contains(pair_error(kImages, idx_file({0x801, 2}, 2)),
                 "labels: found 2 labels, expected 3, the number of images in "));
}

TEST_CASE("a label out of range is named with its place") {
  Bytes labels = kLabels;
  labels.at(10) = 10;
  CHECK(pair_error(kImages, labels) == "labels: item 2: found label 10, allowed is 0 .. 9");
}

TEST_CASE("damaged gzip data is refused") {
  const Bytes good = gzipped(kImages);
  for (std::size_t size = 2; size < good.size(); ++size) {
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(pair_error(cut, kLabels) ==
          fmt::format("images: gzip data is cut short after {} bytes", size));
  }
  // From the compressed data, after ten bytes of header, to the checksum and the length at the end.
  // A bit that pads the data to a whole byte may change and mean nothing.
  for (std::size_t i = 10; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 0x10;
    CAPTURE(i);
    Bytes expanded = kImages;
    const std::string error = input_error([&] { expanded = gunzip(bad, "file", 1 << 20); });
    CHECK((contains(error, "file: gzip data is ") || expanded == kImages));
    if (i + 8 >= good.size()) CHECK(contains(error, "file: gzip data is damaged: incorrect "));
  }
  Bytes followed = good;
  followed.push_back(0);
  CHECK(pair_error(followed, kLabels) == "images: 1 bytes follow the end of the gzip data");
}

TEST_CASE("gzip data of more bytes than zlib can count is refused") {
  const std::size_t size = std::size_t{1} << 32;
  // Memory that is never touched, so that there need not be as much.
  void* const pages =
      mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  CHECK(input_error([&] {
          gunzip({static_cast<unsigned char*>(pages), size}, "file", 1);
        }) == "file: found 4294967296 bytes of gzip data, allowed are at most 4294967295");
  munmap(pages, size);
}

TEST_CASE("gzip data is not expanded beyond a limit") {
  const Bytes zeros(3U << 20);
  const Bytes small = gzipped(zeros);
  CHECK(gunzip(small, "file", zeros.size()) == zeros);
  CHECK(input_error([&] { gunzip(small, "file", zeros.size() - 1); }) ==
        "file: gzip data expands to more than 3145727 bytes");
}

TEST_CASE("the loaders prefer plain files, take gzipped ones and name a missing one") {
  const Bytes images = idx_file({0x803, 2, 28, 28}, 1568);
  for (const char* name : {"mnist", "fashion_mnist"}) {
    const ScratchFolder folder;
    const auto read = [&] {
      return load_images({{"name", name}, {"root", folder.path().string()}});
    };
    folder.write("train-images-idx3-ubyte.gz", gzipped(images));
    folder.write("train-labels-idx1-ubyte.gz", gzipped(idx_file({0x801, 2}, 2, 1)));
    folder.write("t10k-images-idx3-ubyte", images);
    CHECK(input_error(read) == (folder.path() / "t10k-labels-idx1-ubyte").string() +
                                   ": no such file, nor with .gz at the end");
    folder.write("t10k-labels-idx1-ubyte", idx_file({0x801, 2}, 2, 7));
    folder.write("t10k-labels-idx1-ubyte.gz", {1, 2, 3});
    const ResidentImages dataset = read();
    CHECK(dataset.format().shape == ImageShape{.channels = 1, .height = 28, .width = 28});
    CHECK(dataset.train().labels == std::vector<Label>{0, 1});
    CHECK(dataset.test().labels == std::vector<Label>{0, 7});
    CHECK(dataset.format().mean.size() == 1);
    CHECK(dataset.format().stddev.size() == 1);
    CHECK(dataset.image(dataset.train(), 1)[0] == 784 % 256);
  }
}

TEST_CASE("the official Fashion-MNIST test files have their known labels") {
  const auto root = official_files("fashion-mnist", "t10k-images-idx3-ubyte.gz");
  if (!root) {
    MESSAGE(not_found("fashion-mnist", "t10k-images-idx3-ubyte.gz"));
    return;
  }
  const ImageSet set =
      read_idx_pair(*root / "t10k-images-idx3-ubyte.gz", *root / "t10k-labels-idx1-ubyte.gz",
                    {.channels = 1, .height = 28, .width = 28}, 10);
  REQUIRE(set.size() == 10000);
  CHECK(set.labels.front() == 9);  // an ankle boot
  std::array<int, 10> counts{};
  for (const Label label : set.labels) ++counts[label];
  for (const int count : counts) CHECK(count == 1000);
  // The test set has nearly the mean of the training set, 0.2860.
  std::uint64_t sum = 0;
  for (const std::uint8_t byte : set.pixels) sum += byte;
  CHECK(static_cast<double>(sum) / (255.0 * 784 * 10000) == doctest::Approx(0.286).epsilon(0.01));
}
