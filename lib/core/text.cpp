#include "core/text.h"

#include <fmt/core.h>

#include <algorithm>

namespace localbatch {
namespace {

template <class Value, class Text>
std::string joined(std::span<const Value> values, std::string_view separator, const Text& text) {
  std::string line;
  for (const Value& value : values) {
    if (&value != values.data()) line += separator;
    line += text(value);
  }
  return line;
}

}  // namespace

std::string join(std::span<const std::string> texts, std::string_view separator) {
  return joined(texts, separator, [](const std::string& text) { return std::string_view(text); });
}

std::string join(std::span<const int> numbers, std::string_view separator) {
  return joined(numbers, separator, [](int number) { return std::to_string(number); });
}

std::string join(std::span<const std::int64_t> numbers, std::string_view separator) {
  return joined(numbers, separator, [](std::int64_t number) { return std::to_string(number); });
}

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
