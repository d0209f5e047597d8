#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

/// A line of a CSV file with its end; cells with commas, quotes or line ends are quoted (RFC 4180).
std::string csv_line(const std::vector<std::string>& cells);

/// A line of a file and its number, from 1.
struct CsvLine {
  int number = 1;
  std::vector<std::string> cells;
};

/// Lines that hold something, with cells that may be quoted. Throws an InputError with file and
/// line for a quote that does not end on its line.
std::vector<CsvLine> read_csv_lines(const std::filesystem::path& path);

}  // namespace localbatch
