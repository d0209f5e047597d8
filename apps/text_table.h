#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace localbatch {

/// Cells of one line; all lines of a table have as many.
using TextRow = std::vector<std::string>;

/// As wide as the widest cell of each column.
inline std::vector<std::size_t> column_widths(const std::vector<TextRow>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const TextRow& row : rows)
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], row[column].size());
  return widths;
}

/// On standard output, the last column as it is.
inline void print_left_aligned(const std::vector<TextRow>& rows) {
  const std::vector<std::size_t> widths = column_widths(rows);
  for (const TextRow& row : rows) {
    for (std::size_t column = 0; column + 1 < row.size(); ++column)
      fmt::print("{:<{}}  ", row[column], widths[column]);
    fmt::print("{}\n", row.back());
  }
}

/// "42 s", "3 min 05 s", "2 h 10 min".
inline std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace localbatch
