#include "report/reference.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "core/csv.h"
#include "core/error.h"
#include "core/parse.h"
#include "core/text.h"

namespace localbatch {

namespace {

constexpr std::array<const char*, 6> kProtocol{"samples", "workers",         "dataset",
                                               "model",   "sequence_length", "vocabulary"};
/// Of texts alone. The loss depends on both: what precedes a token tells about it, and long tokens
/// are harder to tell.
constexpr std::size_t kFirstOfTexts = 4;

const ResultColumn& column_of(const std::string& name) {
  return *std::ranges::find(result_columns(), std::string_view(name), &ResultColumn::name);
}

/// The protocol of a run: "500000", "4", "cifar10", "resnet20", "", ""; the last two are "256" and
/// "bytes", or a number of tokens, where a data set has them.
std::array<std::string, kProtocol.size()> protocol_of(const Settings& settings) {
  const std::string tokens = settings.value("dataset.vocabulary_size");
  return {settings.value("max_samples"),
          settings.value("workers"),
          settings.value("dataset.name"),
          settings.value("model.name") + settings.value("model.depth"),
          settings.value("dataset.sequence_length"),
          tokens.empty() ? settings.value("dataset.vocabulary") : tokens};
}

/// "CIFAR-10" and "cifar10" are the same.
std::string plain(const std::string& text) {
  std::string letters;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return letters;
}

/// The differences between the known parts of two protocols; empty when there are none.
std::string other_protocol(const ReferenceFigure& theirs, const ResultCell& cell) {
  std::vector<std::string> differences;
  for (std::size_t i = 0; i < kProtocol.size(); ++i) {
    if (theirs.protocol[i].empty()) continue;
    for (const SeedRun& run : cell.runs) {
      const std::string ours = protocol_of(run.run.settings)[i];
      if (plain(ours) == plain(theirs.protocol[i])) continue;
      differences.push_back(fmt::format("{} {}, theirs {}", kProtocol[i],
                                        ours.empty() ? "unknown" : ours, theirs.protocol[i]));
      break;
    }
  }
  if (differences.empty()) return {};
  return fmt::format("other protocol ({})", join(differences, "; "));
}

/// What is not known of theirs; of texts only where ours are of some.
std::string unknown_protocol(const ReferenceFigure& theirs, bool texts) {
  std::vector<std::string> unknown;
  for (std::size_t i = 0; i < (texts ? kProtocol.size() : kFirstOfTexts); ++i)
    if (theirs.protocol[i].empty()) unknown.emplace_back(kProtocol[i]);
  return unknown.empty() ? "" : fmt::format("; protocol unknown: {}", join(unknown, ", "));
}

std::string verdict_on_noise(const Comparison& comparison) {
  const std::optional<double> noise =
      noise_of_difference(*comparison.ours, comparison.theirs.sample);
  if (!noise) return "too few seeds";
  return std::abs(*comparison.difference) <= *noise ? "inside" : "outside";
}

/// No figure if a run has diverged, as it would be missing in the mean, or none has ended.
std::optional<Sample> figure_of(const ResultTable& table, std::size_t cell) {
  if (count_of(table.results.cells[cell], RunStatus::kDiverged) > 0) return {};
  if (table.entries[cell][0].so_far) return {};
  return table.entries[cell][0].sample;
}

Comparison compared(const Results& results, const ReferenceFigure& theirs) {
  Comparison comparison{.theirs = theirs, .ours = {}, .difference = {}, .verdict = {}};
  const ResultTable table = make_table(results, {column_of(theirs.column)});
  bool texts = false;
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const ResultCell& cell = results.cells[i];
    if (results.rows[cell.row] != theirs.schedule || results.groups[cell.group] != theirs.group)
      continue;
    comparison.ours = figure_of(table, i);
    texts = !protocol_of(cell.runs.front().run.settings)[kFirstOfTexts].empty();
    comparison.verdict = other_protocol(theirs, cell);
    if (count_of(cell, RunStatus::kDiverged) > 0 && comparison.verdict.empty())
      comparison.verdict = "diverged";
  }
  if (comparison.ours) comparison.difference = comparison.ours->mean - theirs.sample.mean;
  if (comparison.verdict.empty())
    comparison.verdict = comparison.ours ? verdict_on_noise(comparison) : "no figure of ours";
  comparison.verdict += unknown_protocol(theirs, texts);
  return comparison;
}

std::string text_of_sample(const std::string& column, const std::optional<Sample>& sample) {
  if (!sample) return "-";
  const std::string n = sample->n == 0 ? "unknown" : fmt::format("{}", sample->n);
  return fmt::format("{} (n = {})", sample_text(column_of(column), *sample), n);
}

}  // namespace

std::vector<Comparison> compare(const Results& results,
                                const std::vector<ReferenceFigure>& figures) {
  std::vector<Comparison> comparisons;
  comparisons.reserve(figures.size());
  for (const ReferenceFigure& figure : figures) comparisons.push_back(compared(results, figure));
  return comparisons;
}

TextTable text_of(const std::vector<Comparison>& comparisons) {
  TextTable table{
      .groups = {},
      .head = {"schedule", "H", "column", "ours", "theirs", "difference", "verdict", "source"},
      .rows = {}};
  for (const Comparison& comparison : comparisons) {
    const ReferenceFigure& theirs = comparison.theirs;
    const ResultColumn& column = column_of(theirs.column);
    const std::string difference =
        comparison.difference ? sample_text(column, {.mean = *comparison.difference}) : "-";
    std::vector<TextTable::Cell>& row = table.rows.emplace_back();
    for (const std::string& text : {theirs.schedule, theirs.group, std::string(column.title),
                                    text_of_sample(theirs.column, comparison.ours),
                                    text_of_sample(theirs.column, theirs.sample), difference,
                                    comparison.verdict, theirs.source})
      row.push_back({.text = text});
  }
  return table;
}

std::string to_csv(const std::vector<Comparison>& comparisons) {
  std::string csv =
      csv_line({"schedule", "H", "column", "mean", "standard_deviation", "n", "their_mean",
                "their_standard_deviation", "their_n", "difference", "verdict", "source"});
  for (const Comparison& comparison : comparisons) {
    const auto& [theirs, ours, difference, verdict] = comparison;
    csv += csv_line(
        {theirs.schedule, theirs.group, theirs.column, ours ? fmt::format("{}", ours->mean) : "",
         ours ? csv_cell(ours->standard_deviation) : "", ours ? fmt::format("{}", ours->n) : "",
         fmt::format("{}", theirs.sample.mean), csv_cell(theirs.sample.standard_deviation),
         theirs.sample.n == 0 ? "" : fmt::format("{}", theirs.sample.n), csv_cell(difference),
         verdict, theirs.source});
  }
  return csv;
}

namespace {

const std::vector<std::string> kFigureColumns = [] {
  std::vector<std::string> names{"schedule",           "H", "column", "mean",
                                 "standard_deviation", "n", "source"};
  names.insert(names.end(), kProtocol.begin(), kProtocol.end());
  return names;
}();
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
    return line_.cells[found - head_.begin()];
  }

  std::string choice(const std::string& name, const std::vector<std::string>& allowed) const {
    std::string found = text(name);
    if (std::ranges::find(allowed, found) == allowed.end())
      fail_input("{}: {}: found '{}', allowed is {}", place_, name, found,
                 allowed_names(found, allowed));
    return found;
  }

  /// The number in a cell, if the cell is not empty.
  std::optional<double> number(const std::string& name, double least) const {
    const std::string found = text(name);
    if (found.empty()) return {};
    const std::optional<double> value = number_in(found);
    if (!value || !std::isfinite(*value) || *value < least)
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
    if (std::ranges::find(kFigureColumns, name) == kFigureColumns.end())
      fail_input("{}: found the column '{}', allowed is {}", place, name,
                 allowed_names(name, kFigureColumns));
    if (std::ranges::count(head.cells, name) > 1)
      fail_input("{}: found the column '{}' twice", place, name);
  }
  for (std::size_t i = 0; i < kRequired; ++i)
    if (std::ranges::find(head.cells, kFigureColumns[i]) == head.cells.end())
      fail_input("{}: the column {} is missing", place, kFigureColumns[i]);
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
    for (const char* const name : kProtocol) figure.protocol.push_back(line.text(name));
    figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace localbatch
