#include "core/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>

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

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string counted(std::int64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

namespace {

/// The first character of a text that is not empty.
struct Character {
  std::size_t size = 1;               ///< in bytes
  std::optional<std::uint32_t> code;  ///< nothing: its first byte begins no character of UTF-8
};

Character first_character(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {.size = 1, .code = byte(0)};
  const std::size_t size = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  // Two bytes begin at 0xc2 and four end at 0xf4: what is outside is another way to write a code.
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < size) return {};
  std::uint32_t code = byte(0) & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = code << 6U | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {.size = size, .code = code};
}

bool is_shown(std::uint32_t code) {
  const auto within = [code](std::uint32_t first, std::uint32_t last) {
    return code >= first && code <= last;
  };
  return !(within(0, 0x1f) || within(0x7f, 0x9f) || code == 0xad || code == 0x61c ||
           code == 0x180e || within(0x200b, 0x200f) || within(0x2028, 0x202e) ||
           within(0x2060, 0x206f) || code == 0xfeff || within(0xfff9, 0xfffb) ||
           within(0xe0000, 0xe007f));
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1023.5 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  const bool with_tenths = unit > 2 || (unit > 0 && size < 9.95);
  return fmt::format("{:.{}f} {}", size, with_tenths ? 1 : 0, kUnits[unit]);
}

std::size_t length_of_utf8(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Character next = first_character(text.substr(length));
    if (!next.code) break;
    length += next.size;
  }
  return length;
}

std::string printable(std::string_view text, std::string_view kept) {
  std::string shown;
  while (!text.empty()) {
    const auto [size, code] = first_character(text);
    if (!code)
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    else if (is_shown(*code) || kept.find(text.front()) != std::string_view::npos)
      shown += text.substr(0, size);
    else
      shown += fmt::format("\\u{:04x}", *code);
    text.remove_prefix(size);
  }
  return shown;
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
