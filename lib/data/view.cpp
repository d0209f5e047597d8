#include "data/view.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace localbatch {

namespace {

constexpr double kMinArea = 0.08, kMaxArea = 1;
constexpr double kMinRatio = 3.0 / 4, kMaxRatio = 4.0 / 3;
constexpr int kTries = 10;

double uniform(RandomStream& random, double low, double high) {
  return low + (high - low) * double{random.uniform()};
}

/// A side of a box, stretched.
Axis stretched(int first, int length, int size) {
  return {.start = static_cast<double>(first),
          .step = static_cast<double>(length) / size,
          .first = first,
          .last = first + length};
}

View centred_box(int width, int height, int size) {
  const double ratio = static_cast<double>(width) / height;
  const int box_width =
      ratio > kMaxRatio ? static_cast<int>(std::lround(height * kMaxRatio)) : width;
  const int box_height =
      ratio < kMinRatio ? static_cast<int>(std::lround(width / kMinRatio)) : height;
  return {.columns = stretched((width - box_width) / 2, box_width, size),
          .rows = stretched((height - box_height) / 2, box_height, size),
          .size = size};
}

/// A side that becomes `resized` pixels, of which the middle `size` are looked at.
Axis middle(int length, int resized, int size) {
  const double step = static_cast<double>(length) / resized;
  const double skipped = std::nearbyint((resized - size) / 2.0);
  return {.start = skipped * step, .step = step, .first = 0, .last = length};
}

Axis scaled(const Axis& axis, int length, int to_length) {
  const double scale = static_cast<double>(to_length) / length;
  return {.start = axis.start * scale,
          .step = axis.step * scale,
          .first = static_cast<int>(std::floor(axis.first * scale)),
          .last = std::min(to_length, static_cast<int>(std::ceil(axis.last * scale)))};
}

}  // namespace

View random_resized_crop(int width, int height, int size, RandomStream random) {
  const double area = static_cast<double>(width) * height;
  for (int i = 0; i < kTries; ++i) {
    const double box_area = area * uniform(random, kMinArea, kMaxArea);
    const double ratio = std::exp(uniform(random, std::log(kMinRatio), std::log(kMaxRatio)));
    const auto box_width = std::lround(std::sqrt(box_area * ratio));
    const auto box_height = std::lround(std::sqrt(box_area / ratio));
    if (box_width < 1 || box_width > width || box_height < 1 || box_height > height) continue;
    const auto top = random.below(static_cast<std::uint32_t>(height - box_height + 1));
    const auto left = random.below(static_cast<std::uint32_t>(width - box_width + 1));
    return {.columns = stretched(static_cast<int>(left), static_cast<int>(box_width), size),
            .rows = stretched(static_cast<int>(top), static_cast<int>(box_height), size),
            .size = size};
  }
  return centred_box(width, height, size);
}

View centre_crop(int width, int height, int resize, int size) {
  const auto longer = [&](int length, int shorter) {
    return static_cast<int>(std::int64_t{resize} * length / shorter);
  };
  const int resized_width = width <= height ? resize : longer(width, height);
  const int resized_height = height <= width ? resize : longer(height, width);
  return {.columns = middle(width, resized_width, size),
          .rows = middle(height, resized_height, size),
          .size = size};
}

int reduction_for(const View& view) {
  const double step = std::min(view.columns.step, view.rows.step);
  for (const int reduction : {8, 4, 2})
    if (step >= 2 * reduction) return reduction;
  return 1;
}

View scaled(const View& view, int width, int height, int to_width, int to_height) {
  return {.columns = scaled(view.columns, width, to_width),
          .rows = scaled(view.rows, height, to_height),
          .size = view.size};
}

}  // namespace localbatch
