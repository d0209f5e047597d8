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

/// The parts between separators, at least one: "a,,b" are "a", "" and "b".
std::vector<std::string> split(std::string_view text, char separator);

/// "1 core", "2 cores".
std::string counted(std::int64_t count, std::string_view thing);

/// "64 B", "9.4 KiB", "300 MiB", "1.5 GiB".
std::string size_text(std::uint64_t bytes);

/// Bytes of UTF-8 at the beginning of a text, which is all of them or ends before a byte that does
/// not belong there: shortest forms only, no surrogates, nothing above U+10FFFF.
std::size_t length_of_utf8(std::string_view text);

/// The text as it may be shown: control characters (C0, DEL, C1), line and paragraph separators,
/// signs that change the direction of writing or that nobody can see, and bytes that are not UTF-8
/// become "\u001b" or
/// "\xff", so that what others wrote into files can neither move a terminal's cursor nor make a
/// line look like another one. Those in `kept` stay.
std::string printable(std::string_view text, std::string_view kept = {});

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
