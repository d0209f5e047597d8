#include "data/view.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/error.h"

namespace localbatch {

namespace {

constexpr double kMinArea = 0.08, kMaxArea = 1;
constexpr double kMinRatio = 3.0 / 4, kMaxRatio = 4.0 / 3;
constexpr int kTries = 10;

double uniform(RandomStream& random, double low, double high) {
  return low + (high - low) * double{random.uniform()};
}

/// Stretches a side of a box to `size` pixels.
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

/// Makes a side `resized` pixels long, of which the middle `size` are looked at.
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

namespace {

constexpr int kWeightBits = 22;
constexpr std::int32_t kHalf = std::int32_t{1} << (kWeightBits - 1);

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::min(sum >> kWeightBits, 255));
}

/// The pixels that one place of the result is made of, and their weights.
struct Filter {
  int first = 0;  ///< pixel that the first weight belongs to
  std::span<const std::int32_t> weights;
};

/// The filters of all places of an axis.
class Filters {
 public:
  Filters(const Axis& axis, int size) : ends_(static_cast<std::size_t>(size)) {
    const double reach = std::max(axis.step, 1.0);
    std::vector<double> exact;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      const double centre = axis.start + (static_cast<double>(i) + 0.5) * axis.step;
      const int first = std::max(axis.first, static_cast<int>(std::floor(centre - reach + 0.5)));
      const int last = std::min(axis.last, static_cast<int>(std::floor(centre + reach + 0.5)));
      check(first < last, "a place of the result sees a pixel");
      exact.clear();
      double sum = 0;
      for (int k = first; k < last; ++k) {
        exact.push_back(std::max(0.0, 1 - std::abs(k + 0.5 - centre) / reach));
        sum += exact.back();
      }
      for (const double weight : exact)
        weights_.push_back(static_cast<std::int32_t>(std::lround(weight / sum * 2 * kHalf)));
      firsts_.push_back(first);
      ends_[i] = weights_.size();
    }
  }

  Filter operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {.first = firsts_[i], .weights = std::span(weights_).subspan(begin, ends_[i] - begin)};
  }
  std::size_t size() const { return ends_.size(); }

 private:
  std::vector<int> firsts_;
  std::vector<std::size_t> ends_;  ///< in the weights
  std::vector<std::int32_t> weights_;
};

/// Writes one row as three rows of the result's width, `plane` elements apart.
void filter_row(const RgbImage& image, int row, const Filters& filters, std::uint8_t* to,
                std::size_t plane) {
  for (std::size_t x = 0; x < filters.size(); ++x) {
    const auto [first, weights] = filters[x];
    const std::uint8_t* pixel = image.pixel(row, first);
    std::int32_t red = kHalf, green = kHalf, blue = kHalf;
    for (const std::int32_t weight : weights) {
      red += weight * pixel[0];
      green += weight * pixel[1];
      blue += weight * pixel[2];
      pixel += 3;
    }
    to[x] = to_byte(red);
    to[x + plane] = to_byte(green);
    to[x + 2 * plane] = to_byte(blue);
  }
}

/// Filters the columns of one channel, whose first row is row `top` of the image.
void filter_columns(const std::uint8_t* rows, int top, const Filters& filters, std::uint8_t* to) {
  const std::size_t width = filters.size();
  std::vector<std::int32_t> sums(width);
  for (std::size_t y = 0; y < filters.size(); ++y, to += width) {
    const auto [first, weights] = filters[y];
    const std::uint8_t* row = rows + static_cast<std::size_t>(first - top) * width;
    std::ranges::fill(sums, kHalf);
    for (const std::int32_t weight : weights) {
      for (std::size_t x = 0; x < width; ++x) sums[x] += weight * row[x];
      row += width;
    }
    std::ranges::transform(sums, to, to_byte);
  }
}

}  // namespace

void resample(const RgbImage& image, const View& view, std::span<std::uint8_t> pixels) {
  const auto width = static_cast<std::size_t>(view.size);
  check(pixels.size() == 3 * width * width, "a view is written to an array of its size");
  check(0 <= view.columns.first && view.columns.last <= image.width && 0 <= view.rows.first &&
            view.rows.last <= image.height,
        "a view lies in its image");
  const Filters columns(view.columns, view.size), rows(view.rows, view.size);
  const int top = rows[0].first;
  const Filter lowest = rows[width - 1];
  const auto height = static_cast<std::size_t>(lowest.first - top) + lowest.weights.size();
  std::vector<std::uint8_t> narrow(3 * height * width);
  for (std::size_t y = 0; y < height; ++y)
    filter_row(image, top + static_cast<int>(y), columns, narrow.data() + y * width,
               height * width);
  for (std::size_t c = 0; c < 3; ++c)
    filter_columns(narrow.data() + c * height * width, top, rows,
                   pixels.data() + c * width * width);
}

}  // namespace localbatch
