#include "data/cifar.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "fixtures.h"
#include "official_files.h"

using namespace localbatch;

namespace {

const CifarFormat kTen{.label_limits = {10}};
const CifarFormat kHundred{.label_limits = {20, 100}};

/// Records whose pixel i is (i + 7 * record) mod 251, so that a shift by a byte shows.
std::vector<unsigned char> records(const std::vector<std::vector<unsigned char>>& labels) {
  std::vector<unsigned char> bytes;
  for (std::size_t record = 0; record < labels.size(); ++record) {
    bytes.insert(bytes.end(), labels[record].begin(), labels[record].end());
    for (std::size_t i = 0; i < 3072; ++i)
      bytes.push_back(static_cast<unsigned char>((i + 7 * record) % 251));
  }
  return bytes;
}

std::string parse_error(const CifarFormat& format, const std::vector<unsigned char>& bytes) {
  return input_error([&] {
    ImageSet set;
    append_cifar_records(set, format, bytes, "some/file.bin");
  });
}

}  // namespace

TEST_CASE("CIFAR-10 records are one label and 3072 pixels") {
  ImageSet set;
  append_cifar_records(set, kTen, records({{3}, {9}}), "file");
  append_cifar_records(set, kTen, records({{0}}), "file");
  CHECK(set.labels == std::vector<Label>{3, 9, 0});
  REQUIRE(set.pixels.size() == 9216);
  for (std::size_t i = 0; i < 3072; ++i) {
    REQUIRE(set.pixels[i] == i % 251);
    REQUIRE(set.pixels[3072 + i] == (i + 7) % 251);
    REQUIRE(set.pixels[6144 + i] == i % 251);
  }
}

TEST_CASE("CIFAR-100 records have a coarse label, which is skipped, and a fine one") {
  ImageSet set;
  append_cifar_records(set, kHundred, records({{19, 99}, {4, 0}}), "file");
  CHECK(set.labels == std::vector<Label>{99, 0});
  REQUIRE(set.pixels.size() == 2 * 3072);
  for (std::size_t i = 0; i < 3072; ++i) REQUIRE(set.pixels[3072 + i] == (i + 7) % 251);
}

TEST_CASE("a label out of range is named with its record and file") {
  CHECK(parse_error(kTen, records({{3}, {10}})) ==
        "some/file.bin: record 1: found label 10, allowed is 0 .. 9");
  CHECK(parse_error(kHundred, records({{3, 100}})) ==
        "some/file.bin: record 0: found label 100, allowed is 0 .. 99");
  CHECK(parse_error(kHundred, records({{20, 5}})) ==
        "some/file.bin: record 0: found label 20, allowed is 0 .. 19");
}

TEST_CASE("bytes that are not whole records are refused") {
  std::vector<unsigned char> bytes = records({{3}, {4}});
  bytes.pop_back();
  CHECK(parse_error(kTen, bytes) ==
        "some/file.bin: found 6145 bytes, expected a positive multiple of 3073 (the size of a "
        "record)");
  CHECK(contains(parse_error(kTen, {}), "found 0 bytes, expected a positive multiple"));
}

TEST_CASE("several files are read in order, each of the expected size") {
  const ScratchFolder folder;
  folder.write("a.bin", records({{1}, {2}}));
  folder.write("b.bin", records({{3}, {4}}));
  const ImageSet set = read_cifar_files(kTen, folder.path(), {"b.bin", "a.bin"}, 2);
  CHECK(set.labels == std::vector<Label>{3, 4, 1, 2});
  CHECK(set.pixels.size() == 4 * 3072);

  const std::string path = folder.write("c.bin", records({{3}})).string();
  CHECK(input_error([&] {
          read_cifar_files(kTen, folder.path(), {"a.bin", "c.bin"}, 2);
        }) == path + ": found 3073 bytes, expected 6146 (2 records of 3073)");
}

TEST_CASE("the loaders insist on the official sizes and name a missing file") {
  const ScratchFolder folder;
  const auto error_of = [&](const char* name) {
    return input_error([&] { load({{"name", name}, {"root", folder.path().string()}}); });
  };
  CHECK(error_of("cifar10") == (folder.path() / "data_batch_1.bin").string() + ": no such file");
  CHECK(error_of("cifar100") == (folder.path() / "train.bin").string() + ": no such file");
  folder.write("data_batch_1.bin", records({{1}}));
  folder.write("train.bin", records({{1, 1}}));
  CHECK(contains(error_of("cifar10"), "found 3073 bytes, expected 30730000 (10000 records"));
  CHECK(contains(error_of("cifar100"), "found 3074 bytes, expected 153700000 (50000 records"));
}

TEST_CASE("the official CIFAR-10 files have their known labels and statistics") {
  const auto root = official_files("cifar-10-batches-bin", "data_batch_1.bin");
  if (!root) {
    MESSAGE(not_found("cifar-10-batches-bin", "data_batch_1.bin"));
    return;
  }
  const ResidentImages dataset = load_images({{"name", "cifar10"}, {"root", root->string()}});
  REQUIRE(dataset.train().size() == 50000);
  REQUIRE(dataset.test().size() == 10000);
  CHECK(dataset.train().labels.front() == 6);  // a frog
  CHECK(dataset.test().labels.front() == 3);   // a cat

  std::array<int, 10> train{}, test{};
  for (const Label label : dataset.train().labels) ++train[label];
  for (const Label label : dataset.test().labels) ++test[label];
  for (std::size_t c = 0; c < 10; ++c) {
    CHECK(train[c] == 5000);
    CHECK(test[c] == 1000);
  }

  for (std::size_t channel = 0; channel < 3; ++channel) {
    std::uint64_t sum = 0, sum_of_squares = 0;
    for (std::size_t i = 0; i < dataset.train().size(); ++i)
      for (const std::uint8_t byte :
           dataset.image(dataset.train(), i).subspan(channel * 1024, 1024)) {
        sum += byte;
        sum_of_squares += std::uint64_t{byte} * byte;
      }
    const double n = 50000.0 * 1024;
    const double mean = static_cast<double>(sum) / n;
    const double stddev = std::sqrt(static_cast<double>(sum_of_squares) / n - mean * mean);
    CHECK(255.0 * double{dataset.format().mean[channel]} == doctest::Approx(mean).epsilon(0.002));
    CHECK(255.0 * double{dataset.format().stddev[channel]} ==
          doctest::Approx(stddev).epsilon(0.002));
  }
}
