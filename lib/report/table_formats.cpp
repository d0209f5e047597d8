#include "report/table_formats.h"

#include <fmt/core.h>

#include "core/csv.h"
#include "core/text.h"
#include "report/table_text.h"

namespace localbatch {

namespace {

std::vector<std::string> head_of(const ResultTable& table) {
  std::vector<std::string> head{"schedule", "H", "runs", "n", "seeds", "diverged", "not_finished"};
  for (const ResultColumn& column : table.columns)
    for (const char* const what : {"mean", "standard_deviation", "best"})
      head.push_back(fmt::format("{}_{}", column.name, what));
  head.insert(head.end(), {"folders", "commits"});
  return head;
}

template <class Text>
std::string joined(const ResultCell& cell, const Text& text) {
  std::vector<std::string> parts;
  for (const SeedRun& run : cell.runs) parts.push_back(text(run));
  return join(parts, "; ");
}

std::string seeds_in(const ResultCell& cell, RunStatus status) {
  std::vector<std::string> seeds;
  for (const SeedRun& run : cell.runs)
    if (run.run.status == status) seeds.push_back(run.seed);
  return join(seeds, "; ");
}

std::string not_finished(const ResultCell& cell) {
  std::vector<std::string> parts;
  for (const SeedRun& run : cell.runs)
    if (!has_ended(run.run.status))
      parts.push_back(fmt::format("seed {}: {}", run.seed, status_text(run.run)));
  return join(parts, "; ");
}

}  // namespace

std::string to_csv(const ResultTable& table) {
  std::string csv = csv_line(head_of(table));
  for (std::size_t i = 0; i < table.results.cells.size(); ++i) {
    const ResultCell& cell = table.results.cells[i];
    std::vector<std::string> line{table.results.rows[cell.row],
                                  table.results.groups[cell.group],
                                  fmt::format("{}", cell.runs.size()),
                                  fmt::format("{}", count_of(cell, RunStatus::kFinished)),
                                  seeds_in(cell, RunStatus::kFinished),
                                  seeds_in(cell, RunStatus::kDiverged),
                                  not_finished(cell)};
    for (const TableEntry& entry : table.entries[i]) {
      const bool known = entry.sample.has_value();
      line.push_back(known ? fmt::format("{}", entry.sample->mean) : "");
      line.push_back(known && entry.sample->standard_deviation
                         ? fmt::format("{}", *entry.sample->standard_deviation)
                         : "");
      line.emplace_back(entry.best ? "best" : "");
    }
    line.push_back(joined(cell, [](const SeedRun& run) { return run.run.folder; }));
    line.push_back(joined(cell, [](const SeedRun& run) { return commit_of(run.run); }));
    csv += csv_line(line);
  }
  return csv;
}

}  // namespace localbatch
