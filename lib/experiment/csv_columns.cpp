#include "experiment/csv_columns.h"

#include <charconv>
#include <numeric>

#include "core/error.h"
#include "core/files.h"

namespace localbatch {

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
  std::vector<std::string> names;
  for (int line = 1;; ++line) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    const std::vector<std::string> cells = cells_of(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    if (line == 1) {
      names = cells;
      for (const std::string& name : names) columns_[name];
      continue;
    }
    if (cells.size() != names.size())
      fail_input("{}:{}: found {} cells, expected {}", path.string(), line, cells.size(),
                 names.size());
    for (std::size_t i = 0; i < names.size(); ++i) columns_[names[i]].push_back(cells[i]);
    ++num_rows_;
  }
  if (columns_.empty()) fail_input("{}: holds no line", path.string());
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
    number = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), *number);
    if (error != std::errc() || end != cell.data() + cell.size())
      fail_input("{}:{}: {}: found '{}', expected a number", path_.string(), numbers.size() + 1,
                 name, cell);
  }
  return numbers;
}

std::vector<double> CsvColumns::all_numbers(const std::string& name) const {
  std::vector<double> all;
  for (const std::optional<double>& number : numbers(name)) {
    if (!number)
      fail_input("{}:{}: {}: found nothing, expected a number", path_.string(), all.size() + 2,
                 name);
    all.push_back(*number);
  }
  return all;
}

double sum_of(const CsvColumns& columns, const std::string& name) {
  const std::vector<double> numbers = columns.all_numbers(name);
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

}  // namespace localbatch
