#include "report/result_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace localbatch {

namespace {

std::optional<Sample> merged(const ResultCell& cell, const ResultColumn& column) {
  std::vector<double> values;
  for (const SeedRun& run : cell.runs) {
    if (run.run.state != RunState::kFinished) continue;
    const std::optional<double> value = column.value(run.run);
    if (value) values.push_back(*value);
  }
  return sample_of(values);
}

/// Entries of one column and group that take part, the best one first.
std::vector<TableEntry*> ranking(ResultTable& table, std::size_t group, std::size_t column) {
  std::vector<TableEntry*> ranked;
  for (std::size_t i = 0; i < table.entries.size(); ++i) {
    const ResultCell& cell = table.results.cells[i];
    TableEntry& entry = table.entries[i][column];
    if (cell.group == group && entry.sample && std::isfinite(entry.sample->mean) &&
        count_of(cell, RunState::kDiverged) == 0)
      ranked.push_back(&entry);
  }
  const bool less = table.columns[column].better == ResultColumn::Better::kLess;
  std::ranges::stable_sort(ranked, [less](const TableEntry* a, const TableEntry* b) {
    return less ? a->sample->mean < b->sample->mean : a->sample->mean > b->sample->mean;
  });
  return ranked;
}

void mark_best(ResultTable& table, std::size_t group, std::size_t column) {
  if (table.columns[column].better == ResultColumn::Better::kNone) return;
  const std::vector<TableEntry*> ranked = ranking(table, group, column);
  if (ranked.size() < 2) return;
  const Sample &first = *ranked[0]->sample, &second = *ranked[1]->sample;
  const std::optional<double> noise = noise_of_difference(first, second);
  ranked[0]->best = noise && std::abs(first.mean - second.mean) > *noise;
}

}  // namespace

int count_of(const ResultCell& cell, RunState state) {
  return static_cast<int>(std::ranges::count_if(
      cell.runs, [state](const SeedRun& run) { return run.run.state == state; }));
}

ResultTable make_table(Results results, std::vector<ResultColumn> columns) {
  ResultTable table{.results = std::move(results), .columns = std::move(columns), .entries = {}};
  for (const ResultCell& cell : table.results.cells) {
    std::vector<TableEntry>& entries = table.entries.emplace_back();
    for (const ResultColumn& column : table.columns)
      entries.push_back({.sample = merged(cell, column)});
  }
  for (std::size_t group = 0; group < table.results.groups.size(); ++group)
    for (std::size_t column = 0; column < table.columns.size(); ++column)
      mark_best(table, group, column);
  return table;
}

}  // namespace localbatch
