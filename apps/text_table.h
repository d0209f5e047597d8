#pragma once

#include <fmt/format.h>

#include <algorithm>
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

}  // namespace localbatch
