#include <fmt/core.h>

#include "report/table_formats.h"

namespace localbatch {

namespace {

std::string cell_text(const TextTable::Cell& cell) {
  std::string text = escaped_for_markdown(cell.text);
  if (cell.best) text = "**" + text + "**";
  if (cell.note > 0) text += fmt::format(" [{}]", cell.note);
  return text;
}

void add_line(const std::vector<std::string>& cells, std::string& out) {
  out += "|";
  for (const std::string& cell : cells) out += cell.empty() ? " |" : " " + cell + " |";
  out += "\n";
}

/// Markdown has no groups of columns: several of them stand in the heads of their columns.
void add_table(const TextTable& table, std::string& out) {
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
  add_line(head, out);
  out += "|---|";
  for (std::size_t i = 1; i < head.size(); ++i) out += table.groups.empty() ? "---|" : "---:|";
  out += "\n";
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    cells.reserve(row.size());
    for (const TextTable::Cell& cell : row) cells.push_back(cell_text(cell));
    add_line(cells, out);
  }
  out += "\n";
}

void add_list(std::string_view title, const std::vector<std::string>& items, std::string& out) {
  if (items.empty()) return;
  if (!title.empty()) out += fmt::format("{}\n\n", title);
  for (const std::string& item : items) out += fmt::format("- {}\n", escaped_for_markdown(item));
  out += "\n";
}

}  // namespace

std::string escaped_for_markdown(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\|*_`<[").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string to_markdown(const TablePage& page) {
  std::string out;
  if (!page.title.empty()) out += fmt::format("## {}\n\n", escaped_for_markdown(page.title));
  for (const TextTable& table : page.tables) add_table(table, out);
  for (std::size_t i = 0; i < page.notes.size(); ++i)
    out += fmt::format("- [{}] {}\n", i + 1, escaped_for_markdown(page.notes[i]));
  if (!page.notes.empty()) out += "\n";
  add_list("", page.legend, out);
  for (const TextTable& table : page.references) {
    out += "Beside other figures:\n\n";
    add_table(table, out);
  }
  add_list("Remarks:", page.remarks, out);
  add_list("Runs:", page.runs, out);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace localbatch
