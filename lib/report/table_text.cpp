#include "report/table_text.h"

#include <fmt/core.h>

#include <algorithm>

namespace localbatch {

namespace {

constexpr std::size_t kMostColumns = 12;

constexpr const char* kNothing = "-";

std::string note_of(const Results& results, const ResultCell& cell) {
  std::string text;
  for (const SeedRun& run : cell.runs) {
    if (run.run.status == RunStatus::kFinished) continue;
    if (!text.empty()) text += "; ";
    if (run.cell > 0) text += fmt::format("cell {} ", run.cell);
    text += fmt::format("(seed {}) {}", run.seed, status_text(run.run));
  }
  if (text.empty()) return text;
  return fmt::format("{}, {}: {}", results.rows[cell.row], results.groups[cell.group], text);
}

/// "3", or "2 of 3, 1 diverged".
std::string count_text(const ResultCell& cell) {
  const int finished = count_of(cell, RunStatus::kFinished);
  const int diverged = count_of(cell, RunStatus::kDiverged);
  const auto all = static_cast<int>(cell.runs.size());
  if (finished == all) return fmt::format("{}", all);
  std::string text = fmt::format("{} of {}", finished, all);
  if (diverged > 0) text += fmt::format(", {} diverged", diverged);
  return text;
}

TextTable::Cell entry_cell(const ResultCell& cell, const ResultColumn& column,
                           const TableEntry& entry) {
  const int finished = count_of(cell, RunStatus::kFinished);
  if (finished == 0)
    return {.text = count_of(cell, RunStatus::kDiverged) > 0 ? "diverged" : kNothing};
  if (!entry.sample) return {.text = kNothing};
  std::string text = sample_text(column, *entry.sample);
  if (entry.sample->n < finished) text += fmt::format(" (n = {})", entry.sample->n);
  return {.text = std::move(text), .best = entry.best};
}

class PageBuilder {
 public:
  explicit PageBuilder(const ResultTable& table) : table_(table) {}

  TablePage build() {
    const Results& results = table_.results;
    page_.title = results.title;
    std::vector<std::vector<std::size_t>> blocks;
    if (results.groups.size() * (table_.columns.size() + 1) <= kMostColumns) {
      blocks.emplace_back();
      for (std::size_t i = 0; i < results.groups.size(); ++i) blocks.back().push_back(i);
    } else {
      for (std::size_t i = 0; i < results.groups.size(); ++i) blocks.push_back({i});
    }
    for (const std::vector<std::size_t>& groups : blocks) page_.tables.push_back(block(groups));
    add_legend();
    page_.remarks = results.remarks;
    add_runs();
    return std::move(page_);
  }

 private:
  TextTable block(const std::vector<std::size_t>& groups) {
    TextTable text;
    text.head.emplace_back("schedule");
    for (const std::size_t group : groups) {
      text.groups.push_back({table_.results.groups[group], table_.columns.size() + 1});
      text.head.emplace_back("n");
      for (const ResultColumn& column : table_.columns) text.head.emplace_back(column.title);
    }
    for (std::size_t row = 0; row < table_.results.rows.size(); ++row) add_row(row, groups, text);
    return text;
  }

  /// Rows that no file asks for in these groups are left out.
  void add_row(std::size_t row, const std::vector<std::size_t>& groups, TextTable& text) {
    std::vector<TextTable::Cell> cells{{.text = table_.results.rows[row]}};
    bool is_there = false;
    for (const std::size_t group : groups) {
      const auto found = std::ranges::find_if(table_.results.cells, [=](const ResultCell& cell) {
        return cell.row == row && cell.group == group;
      });
      if (found == table_.results.cells.end()) {
        cells.resize(cells.size() + table_.columns.size() + 1);
        continue;
      }
      is_there = true;
      cells.push_back({.text = count_text(*found), .best = false, .note = add_note(*found)});
      const auto& entries = table_.entries[found - table_.results.cells.begin()];
      for (std::size_t i = 0; i < entries.size(); ++i)
        cells.push_back(entry_cell(*found, table_.columns[i], entries[i]));
    }
    if (is_there) text.rows.push_back(std::move(cells));
  }

  int add_note(const ResultCell& cell) {
    std::string note = note_of(table_.results, cell);
    if (note.empty()) return 0;
    page_.notes.push_back(std::move(note));
    return static_cast<int>(page_.notes.size());
  }

  void add_legend() {
    page_.legend.emplace_back(
        "n: finished runs with different seeds; figures are their mean ± sample standard deviation "
        "(divisor n - 1).");
    if (std::ranges::any_of(table_.entries, [](const std::vector<TableEntry>& entries) {
          return std::ranges::any_of(entries, &TableEntry::best);
        }))
      page_.legend.emplace_back(
          "bold: best of its column and H; it differs from the second best by more than the noise "
          "of the seeds (Welch, two-sided, 95 %).");
    else
      page_.legend.emplace_back(
          "bold: none; no best figure differs from the second best by more than the noise of the "
          "seeds (Welch, two-sided, 95 %; n of at least 2).");
    for (const ResultColumn& column : table_.columns)
      page_.legend.push_back(fmt::format("{}: {}.", column.title, column.meaning));
    page_.legend.emplace_back("A dash: no finished run, or its files do not say.");
  }

  void add_runs() {
    for (const ResultCell& cell : table_.results.cells)
      for (const SeedRun& run : cell.runs) {
        std::string text = fmt::format("{}, {}, seed {}: ", table_.results.rows[cell.row],
                                       table_.results.groups[cell.group], run.seed);
        if (run.run.folder.empty())
          text += status_text(run.run);
        else
          text += fmt::format("{} ({}; {})", run.run.folder, status_text(run.run),
                              origin_text(run.run));
        page_.runs.push_back(std::move(text));
      }
  }

  const ResultTable& table_;
  TablePage page_;
};

}  // namespace

TablePage page_of(const ResultTable& table) { return PageBuilder(table).build(); }

std::string status_text(const FinishedRun& run) {
  switch (run.status) {
    case RunStatus::kMissing:
      return "missing";
    case RunStatus::kUnfinished:
      return fmt::format("unfinished, {} %", run.percent);
    case RunStatus::kFinished:
      return "finished";
    case RunStatus::kDiverged:
      return "diverged";
    case RunStatus::kFailed:
      return "failed: " + run.failure;
  }
  return {};
}

std::string origin_text(const FinishedRun& run) {
  const std::string commit = commit_of(run);
  return commit.empty() ? "commit not recorded" : "commit " + commit;
}

}  // namespace localbatch
