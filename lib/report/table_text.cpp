#include "report/table_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/text.h"

namespace localbatch {

namespace {

constexpr std::size_t kMostColumns = 12;

constexpr const char *kNothing = "-", *kSoFar = " (so far)";

/// "3", or "2 of 4, 1 diverged, 1 missing".
std::string count_text(const ResultCell& cell) {
  const int finished = count_of(cell, RunStatus::kFinished);
  const auto all = static_cast<int>(cell.runs.size());
  if (finished == all) return fmt::format("{}", all);
  std::string text = fmt::format("{} of {}", finished, all);
  for (const auto& [status, name] : {std::pair{RunStatus::kDiverged, "diverged"},
                                     {RunStatus::kFailed, "failed"},
                                     {RunStatus::kUnfinished, "unfinished"},
                                     {RunStatus::kMissing, "missing"}})
    if (count_of(cell, status) > 0) text += fmt::format(", {} {}", count_of(cell, status), name);
  return text;
}

TextTable::Cell entry_cell(const ResultCell& cell, const ResultColumn& column,
                           const TableEntry& entry) {
  if (!entry.sample && entry.never == 0)
    return {.text = count_of(cell, RunStatus::kFinished) == 0 &&
                            count_of(cell, RunStatus::kDiverged) > 0
                        ? "diverged"
                        : kNothing};
  const int n = entry.sample ? entry.sample->n : 0;
  std::string text = entry.sample ? sample_text(column, *entry.sample) : kNothing;
  if (!column.target.empty())
    text += fmt::format(" ({} of {})", n, n + entry.never);
  else if (n < count_of(cell, RunStatus::kFinished))
    text += fmt::format(" (n = {})", n);
  if (entry.so_far) text += kSoFar;
  return {.text = std::move(text), .best = entry.best};
}

class PageBuilder {
 public:
  explicit PageBuilder(const ResultTable& table) : table_(table) {}

  TablePage build() {
    const Results& results = table_.results;
    page_.title = results.title;
    page_.tables = grids_of(
        table_, [this](std::size_t row, std::size_t group) { return cells_of(row, group); });
    add_legend();
    page_.remarks = results.remarks;
    add_runs();
    return std::move(page_);
  }

 private:
  std::vector<TextTable::Cell> cells_of(std::size_t row, std::size_t group) {
    const std::optional<std::size_t> found = cell_at(table_.results, row, group);
    if (!found) return {};
    const ResultCell& cell = table_.results.cells[*found];
    std::vector<TextTable::Cell> cells{
        {.text = count_text(cell), .best = false, .notes = notes_of(cell)}};
    const auto& entries = table_.entries[*found];
    for (std::size_t i = 0; i < entries.size(); ++i)
      cells.push_back(entry_cell(cell, table_.columns[i], entries[i]));
    return cells;
  }

  /// Each reason for a failure is one note, however many runs have it.
  int note_of(const std::string& reason) {
    auto found = std::ranges::find(page_.notes, reason);
    if (found == page_.notes.end()) found = page_.notes.insert(found, reason);
    return static_cast<int>(found - page_.notes.begin()) + 1;
  }

  std::vector<int> notes_of(const ResultCell& cell) {
    std::vector<int> notes;
    for (const SeedRun& run : cell.runs) {
      if (run.run.status != RunStatus::kFailed) continue;
      const int note = note_of("failed: " + run.run.failure);
      if (std::ranges::find(notes, note) == notes.end()) notes.push_back(note);
    }
    return notes;
  }

  bool shows(std::string_view text) const {
    return std::ranges::any_of(page_.tables, [text](const TextTable& table) {
      return std::ranges::any_of(table.rows, [text](const std::vector<TextTable::Cell>& row) {
        return std::ranges::any_of(
            row, [text](const TextTable::Cell& cell) { return cell.text.ends_with(text); });
      });
    });
  }

  void add_legend() {
    page_.legend.emplace_back("n: finished seeds; mean ± standard deviation over them (n - 1).");
    const bool any =
        std::ranges::any_of(table_.entries, [](const std::vector<TableEntry>& entries) {
          return std::ranges::any_of(entries, &TableEntry::best);
        });
    page_.legend.push_back(fmt::format(
        "bold: {}ahead of the second best of its column and H by more than the noise of the seeds "
        "(Welch, 95 %{}).",
        any ? "" : "none; no best figure is ", any ? "" : "; n of at least 2"));
    if (shows(kSoFar))
      page_.legend.emplace_back("so far: of runs that have not ended, as far as they are.");
    if (shows(kNothing)) page_.legend.emplace_back("-: no finished run, or its files do not say.");
    add_what_best_was_chosen_on();
    if (const std::string target = target_of(table_); !target.empty())
      page_.legend.push_back(fmt::format(
          "target: {} at an evaluation and at all later ones; (2 of 3): two of three runs reach "
          "it, and the figure is over these.",
          target));
    std::vector<std::string> meanings;
    for (const ResultColumn& column : table_.columns)
      meanings.push_back(fmt::format("{}: {}", column.title, column.meaning));
    page_.legend.push_back(join(meanings, "; ") + ".");
  }

  void add_what_best_was_chosen_on() {
    const ChosenOn chosen = chosen_on(table_);
    if (chosen.validation)
      page_.legend.push_back(fmt::format(
          "best: {}the test figure of the evaluation that held-out samples (dataset.validation) "
          "choose, for an accuracy by their accuracy, else by their loss.",
          chosen.test ? "of runs that have some " : ""));
    if (chosen.test)
      page_.legend.push_back(fmt::format(
          "best: {}chosen on the test set itself, which flatters it: no samples were held out to "
          "choose by (dataset.validation).",
          chosen.validation ? "of the other runs " : ""));
  }

  void add_runs() {
    for (const ResultCell& cell : table_.results.cells)
      for (const SeedRun& run : cell.runs) {
        std::string state = status_text(run.run);
        if (run.run.status == RunStatus::kFailed)
          state += fmt::format(" [{}]", note_of("failed: " + run.run.failure));
        std::string text = fmt::format("{}, {}, seed {}: ", table_.results.rows[cell.row],
                                       table_.results.groups[cell.group], run.seed);
        if (run.run.folder.empty())
          text += fmt::format("{} (--cell {})", state, run.cell);
        else
          text += fmt::format("{} ({}; {})", run.run.folder, state, origin_text(run.run));
        page_.runs.push_back(std::move(text));
      }
  }

  const ResultTable& table_;
  TablePage page_;
};

}  // namespace

TablePage page_of(const ResultTable& table) { return PageBuilder(table).build(); }

namespace {

using Groups = std::vector<std::size_t>;

/// The groups of each table.
std::vector<Groups> groups_beside_each_other(const ResultTable& table) {
  const std::size_t num_groups = table.results.groups.size();
  if (num_groups * (table.columns.size() + 1) <= kMostColumns) {
    Groups all;
    for (std::size_t i = 0; i < num_groups; ++i) all.push_back(i);
    return {all};
  }
  std::vector<Groups> alone;
  for (std::size_t i = 0; i < num_groups; ++i) alone.push_back({i});
  return alone;
}

TextTable grid_of(const ResultTable& table, const Groups& groups, const CellsOf& cells_of) {
  const std::size_t num_columns = table.columns.size() + 1;
  TextTable grid{.groups = {}, .head = {"schedule"}, .rows = {}};
  for (const std::size_t group : groups) {
    grid.groups.push_back({table.results.groups[group], num_columns});
    grid.head.emplace_back("n");
    for (const ResultColumn& column : table.columns) grid.head.emplace_back(column.title);
  }
  for (std::size_t row = 0; row < table.results.rows.size(); ++row) {
    std::vector<TextTable::Cell> cells{{.text = table.results.rows[row]}};
    bool tells = false;
    for (const std::size_t group : groups) {
      std::vector<TextTable::Cell> of_group = cells_of(row, group);
      tells = tells || !of_group.empty();
      of_group.resize(num_columns);
      std::ranges::move(of_group, std::back_inserter(cells));
    }
    if (tells) grid.rows.push_back(std::move(cells));
  }
  return grid;
}

}  // namespace

std::vector<TextTable> grids_of(const ResultTable& table, const CellsOf& cells_of) {
  std::vector<TextTable> grids;
  for (const Groups& groups : groups_beside_each_other(table)) {
    TextTable grid = grid_of(table, groups, cells_of);
    if (!grid.rows.empty()) grids.push_back(std::move(grid));
  }
  return grids;
}

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
      return "failed";
  }
  return {};
}

std::string origin_text(const FinishedRun& run) {
  const std::string commit = manifest_fact(run, "commit");
  return commit.empty() ? "commit not recorded" : "commit " + commit;
}

}  // namespace localbatch
