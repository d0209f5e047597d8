#include "data/jpeg.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "data/fixtures.h"
#include "data/jpeg_files.h"

using namespace localbatch;

namespace {

int largest_difference(const RgbImage& a, const RgbImage& b) {
  REQUIRE(a.pixels.size() == b.pixels.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return largest;
}

RgbImage decoded(const std::vector<unsigned char>& bytes, int reduction = 1) {
  JpegReader reader(bytes);
  return reader.decode(reduction);
}

/// What is wrong with a file, or a line that no test expects.
std::string damage(const std::vector<unsigned char>& bytes) {
  try {
    decoded(bytes);
  } catch (const DamagedImage& found) {
    return found.what();
  }
  return "(no damage)";
}

}  // namespace

TEST_CASE("a JPEG file has the pixels that it was made of, but for what compression takes") {
  for (const auto& size : {std::pair{61, 40}, {1, 1}, {3, 500}, {500, 3}, {16, 17}}) {
    const int width = size.first, height = size.second;
    CAPTURE(width);
    CAPTURE(height);
    const RgbImage image = smooth_image(width, height, 3);
    const RgbImage found = decoded(jpeg_bytes(image));
    CHECK(found.width == width);
    CHECK(found.height == height);
    CHECK(largest_difference(found, image) < 14);
    CHECK(decoded(jpeg_bytes(image, JpegKind::kProgressive)).pixels == found.pixels);
  }
}

TEST_CASE("grey images have three equal channels, and inks become light") {
  const RgbImage image = smooth_image(40, 30, 2);
  const RgbImage grey = decoded(jpeg_bytes(image, JpegKind::kGrey));
  for (std::size_t i = 0; i < grey.pixels.size(); i += 3) {
    REQUIRE(grey.pixels[i] == grey.pixels[i + 1]);
    REQUIRE(grey.pixels[i] == grey.pixels[i + 2]);
    const double light =
        0.299 * image.pixels[i] + 0.587 * image.pixels[i + 1] + 0.114 * image.pixels[i + 2];
    REQUIRE(std::abs(grey.pixels[i] - light) < 6);
  }
  CHECK(largest_difference(decoded(jpeg_bytes(image, JpegKind::kCmyk)), image) < 14);
}

TEST_CASE("a reduced image is the mean of its pixels, nearly") {
  const RgbImage image = smooth_image(50, 37, 1);
  for (const int reduction : {2, 4, 8}) {
    const RgbImage found = decoded(jpeg_bytes(image), reduction);
    CHECK(found.width == (50 + reduction - 1) / reduction);
    CHECK(found.height == (37 + reduction - 1) / reduction);
    for (int y = 0; y < 37 / reduction; ++y)
      for (int x = 0; x < 50 / reduction; ++x) {
        double sum = 0;
        for (int i = 0; i < reduction * reduction; ++i)
          sum += image.pixel(y * reduction + i / reduction, x * reduction + i % reduction)[1];
        REQUIRE(std::abs(sum / (reduction * reduction) - found.pixel(y, x)[1]) < 8);
      }
  }
}

TEST_CASE("files that end too early, are changed or are no JPEG files are damaged") {
  const std::vector<unsigned char> whole = jpeg_bytes(smooth_image(200, 150, 4));
  CHECK(damage(whole) == "(no damage)");
  // Every length: nothing crashes, and no part passes for the whole.
  for (std::size_t size = 0; size < whole.size(); size += 1 + size / 50)
    REQUIRE(damage({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}) !=
            "(no damage)");
  CHECK(contains(damage({whole.begin(), whole.end() - 300}), "remature end"));
  CHECK(damage({}) == "the file is empty");
  CHECK(contains(damage({0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0}), "Not a JPEG file"));
  std::vector<unsigned char> changed = whole;
  for (std::size_t i = whole.size() / 2; i < whole.size() / 2 + 60; ++i) changed[i] = 0xFF;
  CHECK(damage(changed) != "(no damage)");
  std::vector<unsigned char> huge = whole;
  const unsigned char start_of_frame[] = {0xFF, 0xC0};
  const auto frame =
      std::search(huge.begin(), huge.end(), std::begin(start_of_frame), std::end(start_of_frame)) -
      huge.begin();
  REQUIRE(static_cast<std::size_t>(frame) + 9 < huge.size());
  for (int i = 5; i < 9; ++i) huge[static_cast<std::size_t>(frame + i)] = 0xF0;
  CHECK(damage(huge) == "61680 x 61680 pixels, allowed are at most 134217728");
}

TEST_CASE("Exif data name an orientation in either byte order, and nonsense is upright") {
  for (const bool big_endian : {false, true})
    for (int orientation = 1; orientation <= 8; ++orientation)
      CHECK(read_orientation(exif_segment(orientation, big_endian)) == orientation);
  CHECK(read_orientation(exif_segment(9, true)) == kUpright);
  CHECK(read_orientation(exif_segment(0, false)) == kUpright);
  CHECK(read_orientation({}) == kUpright);
  const std::vector<unsigned char> whole = exif_segment(6, false);
  for (std::size_t size = 0; size < whole.size() - 10; ++size)
    CHECK(read_orientation(std::span(whole).first(size)) == kUpright);
  for (const int changed : {0, 4, 6, 8, 10, 13, 30}) {
    std::vector<unsigned char> bytes = whole;
    bytes[static_cast<std::size_t>(changed)] ^= 0x55;
    CAPTURE(changed);
    CHECK(read_orientation(bytes) == kUpright);
  }
  CHECK(JpegReader(jpeg_bytes(smooth_image(4, 4, 1), JpegKind::kColour, 6)).orientation() == 6);
  CHECK(JpegReader(jpeg_bytes(smooth_image(4, 4, 1))).orientation() == kUpright);
}

TEST_CASE("an image is turned upright as the Exif standard says") {
  // Stored: a b c / d e f, one letter a pixel.
  const std::string expected[] = {"abc/def",  "cba/fed",  "fed/cba",  "def/abc",
                                  "ad/be/cf", "da/eb/fc", "fc/eb/da", "cf/be/ad"};
  RgbImage stored{.width = 3, .height = 2, .pixels = {}};
  for (const char letter : std::string("abcdef"))
    stored.pixels.insert(stored.pixels.end(), 3, letter);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const RgbImage image = upright(stored, orientation);
    std::string text;
    for (int y = 0; y < image.height; ++y) {
      if (y > 0) text += '/';
      for (int x = 0; x < image.width; ++x) text += static_cast<char>(*image.pixel(y, x));
    }
    CHECK(text == expected[orientation - 1]);
    CHECK(swaps_sides(orientation) == (image.width == 2));
  }
}
