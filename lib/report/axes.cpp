#include "report/axes.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace localbatch {

namespace {

struct Range {
  double low = HUGE_VAL, high = -HUGE_VAL;
};

Range range_of_y(const Figure& figure, const AxisScale& scale) {
  constexpr double kMost = 1e300;  // what is beyond has no room around it
  Range range;
  for (const Series& series : figure.series) {
    for (const double y : series.band.min) range.low = std::min(range.low, y / scale.divisor);
    for (const double y : series.band.max) range.high = std::max(range.high, y / scale.divisor);
  }
  return {.low = std::clamp(range.low, -kMost, kMost),
          .high = std::clamp(range.high, -kMost, kMost)};
}

/// The range of the positive values, which are those that a logarithmic axis can show.
Range range_of_x(const Figure& figure, const AxisScale& scale) {
  Range range;
  for (const Series& series : figure.series)
    for (const double x : series.band.x)
      if (x > 0) {
        range.low = std::min(range.low, x / scale.divisor);
        range.high = std::max(range.high, x / scale.divisor);
      }
  return range;
}

/// The largest i with 10^i not above a positive value.
int exponent_of(double value) { return static_cast<int>(std::floor(std::log10(value))); }

std::string logarithmic(char axis, int base, const Range& range) {
  return fmt::format("set logscale {0} {1}\nset {0}range [{2:.6g}:{3:.6g}]\n", axis, base,
                     range.low / 1.2, range.high * 1.2);
}

/// A linear y axis: some room around the data. Curves that differ in the fifth digit only are as
/// good as flat, and the numbers along the axis have six.
Range range_of_axis(const Range& data) {
  const double size = std::max(std::abs(data.low), std::abs(data.high));
  const bool is_flat = data.high - data.low < 1e-4 * size;
  const double room = std::max(0.05 * (is_flat ? size : data.high - data.low), 1e-9);
  return {.low = data.low - room, .high = data.high + room};
}

}  // namespace

std::string y_axis(const Figure& figure) {
  const AxisScale scale = scale_of(figure.axes.y);
  const Range range = range_of_y(figure, scale);
  if (figure.series.empty()) return "";
  if (scale.is_logarithmic && range.low > 0) return logarithmic('y', 2, range);
  const auto [low, high] = range_of_axis(range);
  return fmt::format("set yrange [{:.6g}:{:.6g}]\n", low, high);
}

int longest_y_label(const Figure& figure) {
  if (figure.series.empty()) return 0;
  const AxisScale scale = scale_of(figure.axes.y);
  const auto [low, high] = range_of_axis(range_of_y(figure, scale));
  // Gnuplot's marks are 1, 2 or 5 times a power of ten apart, and a fifth of one at least.
  const double step = std::pow(10.0, exponent_of(high - low) - 1);
  std::size_t longest = 0;
  for (double mark = std::ceil(low / step); mark * step <= high; ++mark)
    longest = std::max(longest, fmt::format("{:.6g}", mark * step).size());
  return static_cast<int>(longest);
}

namespace {

/// Multiples of powers of ten; gnuplot itself would write nothing between two powers.
std::string logarithmic_tics(const Range& range) {
  const auto tics = [&range](const std::vector<int>& multiples) {
    std::vector<std::string> inside;
    for (int i = exponent_of(range.low) - 1; i <= exponent_of(range.high) + 1; ++i)
      for (const int times : multiples) {
        const double tic = times * std::pow(10.0, i);
        if (tic > range.low / 1.2 && tic < range.high * 1.2)
          inside.push_back(fmt::format("{:.6g}", tic));
      }
    return inside;
  };
  std::vector<std::string> chosen;
  for (const std::vector<int>& multiples :
       {std::vector{1}, std::vector{1, 2, 5}, std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9}})
    if (chosen.size() < 3) chosen = tics(multiples);
  return fmt::format("set xtics ({})\n", join(chosen, ", "));
}

/// From zero to the end of the data, with at most six numbers, 1, 2 or 5 times a power of ten
/// apart.
std::string linear_range(const Figure& figure, std::size_t group, const AxisScale& scale) {
  double highest = 0;
  for (const Series& series : figure.series)
    if (series.group == group && !series.band.x.empty())
      highest = std::max(highest, series.band.x.back() / scale.divisor);
  if (highest <= 0) return "  set xrange [0:*]\n  set xtics autofreq\n";
  const double power = std::pow(10.0, exponent_of(highest) - 1);
  double apart = power;
  for (const int times : {2, 5, 10, 20})
    if (highest > 6 * apart) apart = times * power;
  return fmt::format("  set xrange [0:{:.10g}]\n  set xtics {:.6g}\n", highest, apart);
}

}  // namespace

XAxis x_axis(const Figure& figure) {
  const AxisScale scale = scale_of(figure.axes.x);
  const Range range = range_of_x(figure, scale);
  XAxis axis{.common = {}, .panels = std::vector<std::string>(figure.groups.size())};
  if (scale.is_logarithmic && range.high > 0) {
    axis.common = logarithmic('x', 10, range) + logarithmic_tics(range);
  } else {
    for (std::size_t group = 0; group < axis.panels.size(); ++group)
      axis.panels[group] = linear_range(figure, group, scale);
  }
  return axis;
}

}  // namespace localbatch
