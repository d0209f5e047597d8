#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

/// The texts or numbers one after the other, with a separator between each two.
std::string join(std::span<const std::string> texts, std::string_view separator);
std::string join(std::span<const int> numbers, std::string_view separator);
std::string join(std::span<const std::int64_t> numbers, std::string_view separator);

// Tables for a terminal, in plain text.

/// The cells of one line; all lines of a table have the same number of cells.
using TextRow = std::vector<std::string>;

/// The width of the widest cell of each column.
std::vector<std::size_t> column_widths(std::span<const TextRow> rows);

/// Lines of left-aligned columns that are two spaces apart; nothing is appended to the last column.
std::string left_aligned(std::span<const TextRow> rows);

/// Lines that begin with two spaces and a left-aligned name, followed by right-aligned numbers two
/// spaces apart.
std::string right_aligned(std::span<const TextRow> rows);

}  // namespace localbatch
