#include "core/text_table.h"

#include <fmt/core.h>

#include <algorithm>

namespace localbatch {

std::vector<std::size_t> column_widths(std::span<const TextRow> rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const TextRow& row : rows)
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], row[column].size());
  return widths;
}

std::string left_aligned(std::span<const TextRow> rows) {
  const std::vector<std::size_t> widths = column_widths(rows);
  std::string text;
  for (const TextRow& row : rows) {
    for (std::size_t column = 0; column + 1 < row.size(); ++column)
      text += fmt::format("{:<{}}  ", row[column], widths[column]);
    text += row.back() + "\n";
  }
  return text;
}

std::string right_aligned(std::span<const TextRow> rows) {
  const std::vector<std::size_t> widths = column_widths(rows);
  std::string text;
  for (const TextRow& row : rows) {
    text += fmt::format("  {:<{}}", row.front(), widths.front());
    for (std::size_t column = 1; column < row.size(); ++column)
      text += fmt::format("  {:>{}}", row[column], widths[column]);
    text += "\n";
  }
  return text;
}

}  // namespace localbatch
