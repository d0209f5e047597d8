#include "report/run_comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "core/text.h"
#include "report/finished_run.h"
#include "report/result_table.h"
#include "report/table_text.h"

namespace localbatch {

namespace fs = std::filesystem;
namespace {

std::string differing_settings(const FinishedRun& a, const FinishedRun& b) {
  const std::vector<std::string> keys =
      differing_keys({a.settings, b.settings}, /*absence_counts=*/true);
  if (keys.empty()) return "The settings are equal.\n";
  std::vector<TextRow> rows{{"setting", "first run", "second run"}};
  const auto value_in = [](const FinishedRun& run, const std::string& key) {
    const std::string* const value = run.settings.find(key);
    return value == nullptr ? std::string("-") : *value;
  };
  for (const std::string& key : keys) rows.push_back({key, value_in(a, key), value_in(b, key)});
  return left_aligned(rows);
}

/// The row and column in which two files differ first, as a sentence; empty where all rows that
/// both have are equal. Cells are compared as texts: equal bits are written as equal digits.
std::string first_difference(const CsvColumns& a, const CsvColumns& b) {
  for (std::size_t row = 0; row < std::min(a.num_rows(), b.num_rows()); ++row)
    for (const std::string& name : a.names()) {
      if (!b.has(name) || a.cells(name)[row] == b.cells(name)[row]) continue;
      const auto shown = [](const std::string& cell) { return cell.empty() ? "nothing" : cell; };
      const std::string round =
          a.has("round") ? fmt::format(" (round {})", a.cells("round")[row]) : "";
      return fmt::format("differ first in row {}{}: {} is {} and {}", row + 1, round, name,
                         shown(a.cells(name)[row]), shown(b.cells(name)[row]));
    }
  return {};
}

std::string difference_of_curves(const std::optional<CsvColumns>& a,
                                 const std::optional<CsvColumns>& b) {
  if (!a && !b) return "in neither run";
  if (!a || !b) return a ? "in the first run only" : "in the second run only";
  const auto lacks = [](const CsvColumns& columns) {
    return [&columns](const std::string& name) { return !columns.has(name); };
  };
  if (std::string found = first_difference(*a, *b); !found.empty()) return found;
  std::string text = "equal";
  if (a->num_rows() != b->num_rows())
    text = fmt::format("equal as far as both go: {} and {} rows", a->num_rows(), b->num_rows());
  if (std::ranges::any_of(a->names(), lacks(*b)) || std::ranges::any_of(b->names(), lacks(*a)))
    text += ", in the columns that both have";
  return text;
}

std::string final_figures(const FinishedRun& a, const FinishedRun& b) {
  std::vector<TextRow> rows{{"in the end", "first run", "second run"}};
  for (const ResultColumn& column : result_columns()) {
    const std::optional<double> x = column.value(a), y = column.value(b);
    if (!x && !y) continue;
    const auto text = [&column](std::optional<double> value) {
      return value ? sample_text(column, {.mean = *value, .n = 1}) : std::string("-");
    };
    rows.push_back({std::string(column.title), text(x), text(y)});
  }
  return right_aligned(rows);
}

}  // namespace

std::string compare_runs(const fs::path& first, const fs::path& second) {
  const FinishedRun a = only_run_in(first), b = only_run_in(second);
  return fmt::format(
      "first run:  {} ({})\nsecond run: {} ({})\n\n{}\nrounds.csv: {}\nevaluations.csv: "
      "{}\n\n{}",
      a.folder, status_text(a), b.folder, status_text(b), differing_settings(a, b),
      difference_of_curves(a.rounds, b.rounds), difference_of_curves(a.evaluations, b.evaluations),
      final_figures(a, b));
}

}  // namespace localbatch
