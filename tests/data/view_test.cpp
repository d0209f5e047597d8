#include "data/view.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "data/jpeg_files.h"

using namespace localbatch;

namespace {

RandomStream stream(std::uint32_t i) { return {1, Purpose::kTest, i}; }

/// How far the triangle of place i reaches, and its weight at pixel k, in double.
double triangle(const Axis& axis, int i, int k) {
  if (k < axis.first || k >= axis.last) return 0;
  const double reach = std::max(axis.step, 1.0);
  return std::max(0.0, 1 - std::abs(k + 0.5 - (axis.start + (i + 0.5) * axis.step)) / reach);
}

/// The definition in two dimensions at once, without rounding.
double expected_value(const RgbImage& image, const View& view, int c, int y, int x) {
  double sum = 0, weights = 0;
  for (int row = 0; row < image.height; ++row) {
    const double vertical = triangle(view.rows, y, row);
    if (vertical == 0) continue;
    for (int column = 0; column < image.width; ++column) {
      const double weight = vertical * triangle(view.columns, x, column);
      sum += weight * image.pixel(row, column)[c];
      weights += weight;
    }
  }
  return sum / weights;
}

std::vector<std::uint8_t> resampled(const RgbImage& image, const View& view) {
  std::vector<std::uint8_t> pixels(3 * static_cast<std::size_t>(view.size * view.size));
  resample(image, view, pixels);
  return pixels;
}

}  // namespace

TEST_CASE("random crops keep area, ratio and place within their limits, and use all of them") {
  constexpr int kDraws = 4000, kSize = 24;
  const int width = 500, height = 375;
  double area_sum = 0, smallest = 1, largest = 0, log_ratio_sum = 0, left = 0, top = 0;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const View view = random_resized_crop(width, height, kSize, stream(i));
    const auto [columns, rows, size] = view;
    REQUIRE(size == kSize);
    const int w = columns.last - columns.first, h = rows.last - rows.first;
    REQUIRE(0 <= columns.first);
    REQUIRE(columns.last <= width);
    REQUIRE(0 <= rows.first);
    REQUIRE(rows.last <= height);
    CHECK(columns.start == columns.first);
    CHECK(columns.step * kSize == doctest::Approx(w));
    CHECK(rows.step * kSize == doctest::Approx(h));
    const double area = static_cast<double>(w) * h / (width * height);
    const double ratio = static_cast<double>(w) / h;
    REQUIRE(area > 0.078);
    REQUIRE(area <= 1);
    REQUIRE(ratio > 0.74);
    REQUIRE(ratio < 1.35);
    area_sum += area;
    log_ratio_sum += std::log(ratio);
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
    if (w < width) left += static_cast<double>(columns.first) / (width - w) / kDraws;
    if (h < height) top += static_cast<double>(rows.first) / (height - h) / kDraws;
  }
  // The mean of 0.08 .. 1 is 0.54, but boxes that do not fit are large ones, and high ones here.
  // The numbers are those of 300000 boxes by torchvision's definition in Python.
  CHECK(std::abs(area_sum / kDraws - 0.433) < 0.015);
  CHECK(smallest < 0.1);
  CHECK(largest > 0.95);
  CHECK(std::abs(log_ratio_sum / kDraws - 0.031) < 0.015);
  CHECK(std::abs(left - 0.5) < 0.03);
  CHECK(std::abs(top - 0.5) < 0.03);
}

TEST_CASE("an image in which no box fits gives its middle in the nearest allowed ratio") {
  for (std::uint32_t i = 0; i < 50; ++i) {
    const View tall = random_resized_crop(3, 500, 8, stream(i));
    CHECK(tall.columns == Axis{.start = 0, .step = 3.0 / 8, .first = 0, .last = 3});
    CHECK(tall.rows == Axis{.start = 248, .step = 4.0 / 8, .first = 248, .last = 252});
    const View wide = random_resized_crop(500, 3, 8, stream(i));
    CHECK(wide.columns == tall.rows);
    CHECK(wide.rows == tall.columns);
    const View dot = random_resized_crop(1, 1, 8, stream(i));
    CHECK(dot.rows == Axis{.start = 0, .step = 1.0 / 8, .first = 0, .last = 1});
  }
}

TEST_CASE("the centre crop is the middle of an image whose shorter side has been resized") {
  // 500 x 375 becomes 341 x 256, of which columns 58.5 .. 282.5 are the middle: torchvision rounds
  // half to even.
  const View view = centre_crop(500, 375, 256, 224);
  CHECK(view.rows.step == 375.0 / 256);
  CHECK(view.rows.start == 16 * view.rows.step);
  CHECK(view.columns.step == 500.0 / 341);
  CHECK(view.columns.start == 58 * view.columns.step);
  CHECK(view.columns.last == 500);
  const View turned = centre_crop(375, 500, 256, 224);
  CHECK(turned.rows == view.columns);
  CHECK(turned.columns == view.rows);
}

TEST_CASE("an image is reduced only while two pixels stay for each one that is wanted") {
  const auto reduction = [](int width, int height) {
    return reduction_for(centre_crop(width, height, 10, 10));
  };
  CHECK(reduction(39, 39) == 1);
  CHECK(reduction(40, 40) == 2);
  CHECK(reduction(79, 300) == 2);
  CHECK(reduction(80, 80) == 4);
  CHECK(reduction(5000, 5000) == 8);
  CHECK(reduction(1, 5000) == 1);
}

TEST_CASE("an image of the wanted size stays as it is") {
  const RgbImage image = smooth_image(20, 20, 1);
  const std::vector<std::uint8_t> pixels = resampled(image, centre_crop(20, 20, 20, 20));
  for (int i = 0; i < 400; ++i)
    for (int c = 0; c < 3; ++c) REQUIRE(pixels[c * 400 + i] == image.pixels[i * 3 + c]);
}

TEST_CASE("resampling is what its definition says, within the rounding of two passes") {
  int compared = 0;
  const auto compare = [&](const RgbImage& image, const View& view) {
    const std::vector<std::uint8_t> pixels = resampled(image, view);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < view.size; ++y)
        for (int x = 0; x < view.size; ++x, ++compared)
          REQUIRE(std::abs(pixels[(c * view.size + y) * view.size + x] -
                           expected_value(image, view, c, y, x)) < 1.01);
  };
  for (const auto& [width, height] : {std::pair{31, 22}, {9, 14}, {1, 1}, {3, 90}, {70, 60}}) {
    const RgbImage image = smooth_image(width, height, 4);
    for (std::uint32_t i = 0; i < 5; ++i)
      compare(image, random_resized_crop(width, height, 12, stream(i)));
    compare(image, centre_crop(width, height, 14, 12));
    // A view that was chosen in an image of three times the size.
    const View large = random_resized_crop(3 * width, 3 * height, 12, stream(7));
    compare(image, scaled(large, 3 * width, 3 * height, width, height));
  }
  CHECK(compared > 10000);
}
