#include "report/table_formats.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/csv.h"
#include "core/text.h"
#include "report/table_text.h"

namespace localbatch {

namespace {

std::vector<std::string> head_of(const ResultTable& table) {
  std::vector<std::string> head{"schedule", "H", "runs", "n", "seeds", "diverged", "not_finished"};
  for (const ResultColumn& column : table.columns) {
    for (const char* const what : {"mean", "standard_deviation", "best"})
      head.push_back(fmt::format("{}_{}", column.name, what));
    if (column.target.empty()) continue;
    for (const char* const what : {"reached", "not_reached"})
      head.push_back(fmt::format("{}_{}", column.name, what));
  }
  if (!target_of(table).empty()) head.emplace_back("target");
  if (std::ranges::any_of(table.columns, is_of_best)) head.emplace_back("best_chosen_on");
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

void add_entry(const ResultColumn& column, const TableEntry& entry,
               std::vector<std::string>& line) {
  const bool known = entry.sample.has_value();
  line.push_back(known ? fmt::format("{}", entry.sample->mean) : "");
  line.push_back(known && entry.sample->standard_deviation
                     ? fmt::format("{}", *entry.sample->standard_deviation)
                     : "");
  line.emplace_back(entry.best ? "best" : entry.so_far ? "so far" : "");
  if (column.target.empty()) return;
  const bool is_of_runs = known || entry.never > 0;
  line.push_back(is_of_runs ? fmt::format("{}", known ? entry.sample->n : 0) : "");
  line.push_back(is_of_runs ? fmt::format("{}", entry.never) : "");
}

std::string not_finished(const ResultCell& cell) {
  std::vector<std::string> parts;
  for (const SeedRun& run : cell.runs)
    if (!has_ended(run.run.status))
      parts.push_back(fmt::format("seed {}: {}{}{}", run.seed, status_text(run.run),
                                  run.run.failure.empty() ? "" : ": ", run.run.failure));
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
    for (std::size_t j = 0; j < table.columns.size(); ++j)
      add_entry(table.columns[j], table.entries[i][j], line);
    if (const std::string target = target_of(table); !target.empty()) line.push_back(target);
    if (std::ranges::any_of(table.columns, is_of_best))
      line.push_back(text_of(chosen_on(table.results, cell)));
    line.push_back(joined(cell, [](const SeedRun& run) { return run.run.folder; }));
    line.push_back(
        joined(cell, [](const SeedRun& run) { return manifest_fact(run.run, "commit"); }));
    csv += csv_line(line);
  }
  return csv;
}

namespace {

std::string markdown_cell(const TextTable::Cell& cell) {
  std::string text = escaped_for_markdown(cell.text);
  if (cell.best) text = "**" + text + "**";
  if (!cell.notes.empty()) text += fmt::format(" [{}]", join(cell.notes, ", "));
  return text;
}

void add_markdown_line(const std::vector<std::string>& cells, std::string& out) {
  out += "|";
  for (const std::string& cell : cells) out += cell.empty() ? " |" : " " + cell + " |";
  out += "\n";
}

/// Markdown has no groups of columns: several of them stand in the heads of their columns.
void add_markdown_table(const TextTable& table, std::string& out) {
  if (table.groups.size() == 1)
    out += fmt::format("{}\n\n", escaped_for_markdown(table.groups[0].title));
  std::vector<std::string> head{escaped_for_markdown(table.head.front())};
  std::size_t column = 1;
  for (const TextTable::Group& group : table.groups)
    for (std::size_t i = 0; i < group.num_columns; ++i) {
      const std::string name = escaped_for_markdown(table.head[column++]);
      head.push_back(table.groups.size() == 1 ? name
                                              : escaped_for_markdown(group.title) + ": " + name);
    }
  while (column < table.head.size()) head.push_back(escaped_for_markdown(table.head[column++]));
  add_markdown_line(head, out);
  out += "|---|";
  for (std::size_t i = 1; i < head.size(); ++i) out += table.groups.empty() ? "---|" : "---:|";
  out += "\n";
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    cells.reserve(row.size());
    for (const TextTable::Cell& cell : row) cells.push_back(markdown_cell(cell));
    add_markdown_line(cells, out);
  }
  out += "\n";
}

void add_markdown_list(std::string_view title, const std::vector<std::string>& items,
                       std::string& out) {
  if (items.empty()) return;
  if (!title.empty()) out += fmt::format("{}\n\n", title);
  for (const std::string& item : items) out += fmt::format("- {}\n", escaped_for_markdown(item));
  out += "\n";
}

}  // namespace

std::string escaped_for_markdown(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text, "\n")) {
    if (std::string_view("\\|*_`<[").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string to_markdown(const TablePage& page) {
  std::string out;
  if (!page.title.empty()) out += fmt::format("## {}\n\n", escaped_for_markdown(page.title));
  for (const TextTable& table : page.tables) add_markdown_table(table, out);
  for (std::size_t i = 0; i < page.notes.size(); ++i)
    out += fmt::format("- [{}] {}\n", i + 1, escaped_for_markdown(page.notes[i]));
  if (!page.notes.empty()) out += "\n";
  add_markdown_list("", page.legend, out);
  if (!page.differences.tables.empty())
    out += escaped_for_markdown(page.differences.title) + "\n\n";
  for (const TextTable& table : page.differences.tables) add_markdown_table(table, out);
  for (const TextTable& table : page.references) {
    out += "Beside other figures:\n\n";
    add_markdown_table(table, out);
  }
  add_markdown_list("Remarks:", page.remarks, out);
  add_markdown_list("Runs:", page.runs, out);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace localbatch
