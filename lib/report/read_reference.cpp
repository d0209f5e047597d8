#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/nearest_name.h"
#include "report/csv_text.h"
#include "report/reference_table.h"

namespace localbatch {

namespace {

const std::vector<std::string> kColumns{
    "schedule", "H",       "column",  "mean", "standard_deviation", "n", "source",
    "samples",  "workers", "dataset", "model"};
constexpr std::size_t kRequired = 4;

/// One line, by the names of its columns.
class LineReader {
 public:
  LineReader(const std::filesystem::path& path, const std::vector<std::string>& head,
             const CsvLine& line)
      : place_(fmt::format("{}:{}", path.string(), line.number)), head_(head), line_(line) {
    if (line.cells.size() != head.size())
      fail_input("{}: found {} cells, expected {}", place_, line.cells.size(), head.size());
  }

  /// Empty when the file does not have the column.
  std::string text(const std::string& name) const {
    const auto found = std::ranges::find(head_, name);
    if (found == head_.end()) return {};
    return line_.cells[static_cast<std::size_t>(found - head_.begin())];
  }

  std::string choice(const std::string& name, const std::vector<std::string>& allowed) const {
    std::string found = text(name);
    if (std::ranges::find(allowed, found) == allowed.end())
      fail_input("{}: {}: found '{}', allowed is {}{}", place_, name, found,
                 fmt::join(allowed, " | "), did_you_mean(found, allowed));
    return found;
  }

  /// Nothing for an empty cell.
  std::optional<double> number(const std::string& name, double least) const {
    const std::string found = text(name);
    if (found.empty()) return {};
    double value = 0;
    const auto [end, error] = std::from_chars(found.data(), found.data() + found.size(), value);
    if (error != std::errc() || end != found.data() + found.size() || !std::isfinite(value) ||
        value < least)
      fail_input("{}: {}: found '{}', expected a number{}", place_, name, found,
                 std::isfinite(least) ? fmt::format(" of at least {}", least) : "");
    return value;
  }

  const std::string& place() const { return place_; }

 private:
  std::string place_;
  const std::vector<std::string>& head_;
  const CsvLine& line_;
};

void check_head(const std::filesystem::path& path, const CsvLine& head) {
  const std::string place = fmt::format("{}:{}", path.string(), head.number);
  for (const std::string& name : head.cells) {
    if (std::ranges::find(kColumns, name) == kColumns.end())
      fail_input("{}: found the column '{}', allowed is {}{}", place, name,
                 fmt::join(kColumns, ","), did_you_mean(name, kColumns));
    if (std::ranges::count(head.cells, name) > 1)
      fail_input("{}: found the column '{}' twice", place, name);
  }
  for (std::size_t i = 0; i < kRequired; ++i)
    if (std::ranges::find(head.cells, kColumns[i]) == head.cells.end())
      fail_input("{}: the column {} is missing", place, kColumns[i]);
}

/// Both "8" and "H = 8" are names of a group.
std::string group_of(const LineReader& line, const Results& results) {
  std::string named = "H = " + line.text("H");
  if (std::ranges::find(results.groups, named) != results.groups.end()) return named;
  return line.choice("H", results.groups);
}

}  // namespace

std::vector<ReferenceFigure> read_reference_figures(const std::filesystem::path& path,
                                                    const Results& results) {
  const std::vector<CsvLine> lines = read_csv_lines(path);
  if (lines.empty()) fail_input("{}: holds no line", path.string());
  check_head(path, lines.front());
  std::vector<std::string> columns;
  for (const ResultColumn& column : result_columns()) columns.emplace_back(column.name);
  std::vector<ReferenceFigure> figures;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const LineReader line(path, lines.front().cells, lines[i]);
    ReferenceFigure figure{.schedule = line.choice("schedule", results.rows),
                           .group = group_of(line, results),
                           .source = line.text("source"),
                           .column = line.choice("column", columns),
                           .sample = {},
                           .protocol = {}};
    const std::optional<double> mean = line.number("mean", -HUGE_VAL);
    if (!mean) fail_input("{}: mean: found nothing, expected a number", line.place());
    figure.sample.mean = *mean;
    figure.sample.standard_deviation = line.number("standard_deviation", 0);
    const double n = line.number("n", 1).value_or(0);
    if (n != std::floor(n) || n > 1e6)
      fail_input("{}: n: found '{}', expected a whole number up to 1000000", line.place(),
                 line.text("n"));
    figure.sample.n = static_cast<int>(n);
    for (const char* const name : {"samples", "workers", "dataset", "model"})
      figure.protocol.push_back(line.text(name));
    figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace localbatch
