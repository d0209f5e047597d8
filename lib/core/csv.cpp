#include "core/csv.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/parse.h"
#include "core/text.h"

namespace localbatch {

namespace {

/// The checksum of lines that are followed by another one.
std::uint64_t with_line(std::uint64_t before, std::string_view line) {
  const std::uint64_t both[] = {before, checksum(line)};
  return checksum(std::as_bytes(std::span(both)));
}

std::string line_of(const std::vector<std::string>& cells) {
  return fmt::format("{}\n", join(cells, ","));
}

/// Throws before anything is cut off when these bytes are not those that were written, or have
/// other columns. A file that is too short is left to OutputFile, which has a better word for it.
const CsvBeginning& checked(const CsvBeginning& written, const std::filesystem::path& path,
                            const std::vector<std::string>& header) {
  const std::string text = read_text(path);
  if (text.size() < written.size) return written;
  std::string_view rest = std::string_view(text).substr(0, written.size);
  std::uint64_t found = 0;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
    found = with_line(found, rest.substr(0, end));
    rest.remove_prefix(end);
  }
  if (found != written.checksum)
    fail_input("{}: the first {} bytes are not those that were written: somebody has changed them",
               path.string(), written.size);
  if (!text.starts_with(line_of(header)))
    fail_input(
        "{}: has other columns than this version of the program writes: another version has "
        "begun it, and can go on with it",
        path.string());
  return written;
}

}  // namespace

CsvFile::CsvFile(const std::filesystem::path& path, const std::vector<std::string>& header,
                 const std::optional<CsvBeginning>& written)
    : file_(written ? OutputFile(path, checked(*written, path, header).size) : OutputFile(path)),
      checksum_(written.value_or(CsvBeginning()).checksum) {
  if (!written) write(header);
}

void CsvFile::check(const std::filesystem::path& path, const std::vector<std::string>& header,
                    const CsvBeginning& written) {
  checked(written, path, header);
}

void CsvFile::write(const std::vector<std::string>& cells) {
  const std::string line = line_of(cells);
  file_.write(line);
  checksum_ = with_line(checksum_, line);
}

namespace {

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  while (true) {
    const std::size_t comma = line.find(',');
    cells.emplace_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

}  // namespace

CsvColumns::CsvColumns(const std::filesystem::path& path) : path_(path) {
  const std::string text = read_text(path);
  std::string_view rest = text;
  for (int line = 1;; ++line) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    const std::vector<std::string> cells = cells_of(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    if (line == 1) {
      names_ = cells;
      for (const std::string& name : names_)
        if (!columns_.try_emplace(name).second)
          fail_input("{}:1: found the column '{}' twice", path.string(), name);
      continue;
    }
    if (cells.size() != names_.size())
      fail_input("{}:{}: found {} cells, expected {}", path.string(), line, cells.size(),
                 names_.size());
    for (std::size_t i = 0; i < names_.size(); ++i) columns_[names_[i]].push_back(cells[i]);
    ++num_rows_;
  }
  if (columns_.empty()) fail_input("{}: holds no line", path.string());
}

std::optional<CsvColumns> columns_if_begun(const std::filesystem::path& path) {
  if (!is_there(path) || read_text(path).find('\n') == std::string::npos) return {};
  return CsvColumns(path);
}

const std::vector<std::string>& CsvColumns::cells(const std::string& name) const {
  const auto found = columns_.find(name);
  if (found == columns_.end()) fail_input("{}: has no column {}", path_.string(), name);
  return found->second;
}

std::vector<std::optional<double>> CsvColumns::numbers(const std::string& name) const {
  std::vector<std::optional<double>> numbers;
  for (const std::string& cell : cells(name)) {
    std::optional<double>& number = numbers.emplace_back();
    if (cell.empty()) continue;
    number = number_in(cell);
    if (!number)
      fail_input("{}:{}: {}: found '{}', expected a number", path_.string(), numbers.size() + 1,
                 name, cell);
  }
  return numbers;
}

std::vector<double> CsvColumns::all_numbers(const std::string& name) const {
  std::vector<double> all;
  for (const std::optional<double>& number : numbers(name)) {
    if (!number || !std::isfinite(*number))
      fail_input("{}:{}: {}: found {}, expected a finite number", path_.string(), all.size() + 2,
                 name, number ? fmt::format("{}", *number) : "nothing");
    all.push_back(*number);
  }
  return all;
}

std::vector<double> CsvColumns::positions(const std::string& name) const {
  std::vector<double> all = all_numbers(name);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double least = i == 0 ? 0 : all[i - 1];
    if (!(all[i] >= least && all[i] <= static_cast<double>(kLargestInteger)))
      fail_input("{}:{}: {}: found {}, expected a number from {} on", path_.string(), i + 2, name,
                 all[i], least);
  }
  return all;
}

double sum_of(const CsvColumns& columns, const std::string& name) {
  const std::vector<double> numbers = columns.all_numbers(name);
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

namespace {

/// Whether the quotes of the line are closed.
bool split(const std::string& line, std::vector<std::string>& cells) {
  cells.assign(1, "");
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return !quoted;
}

bool is_formula(std::string_view cell) {
  return !cell.empty() && std::string_view("=+-@").find(cell.front()) != std::string_view::npos &&
         !number_in(cell);
}

}  // namespace

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    const std::string cell = (is_formula(cells[i]) ? "'" : "") + printable(cells[i]);
    if (cell.find_first_of(",\"") == std::string::npos) {
      line += cell;
      continue;
    }
    line += '"';
    for (const char c : cell) {
      line += c;
      if (c == '"') line += '"';
    }
    line += '"';
  }
  return line + '\n';
}

std::vector<CsvLine> read_csv_lines(const std::filesystem::path& path) {
  std::istringstream stream(read_text(path));
  std::vector<CsvLine> lines;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    CsvLine& read = lines.emplace_back(CsvLine{.number = number, .cells = {}});
    if (!split(line, read.cells))
      fail_input("{}:{}: a quote does not end on this line", path.string(), number);
  }
  return lines;
}

}  // namespace localbatch
