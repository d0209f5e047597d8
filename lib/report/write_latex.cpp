#include <fmt/core.h>

#include "core/text.h"
#include "report/table_formats.h"

namespace localbatch {

namespace {

std::string latex_cell(const TextTable::Cell& cell) {
  std::string text = escaped_for_latex(cell.text);
  if (cell.best) text = "\\textbf{" + text + "}";
  if (!cell.notes.empty()) text += fmt::format("$^{{{}}}$", join(cell.notes, ", "));
  return text;
}

void add_latex_line(const std::vector<std::string>& cells, std::string& out) {
  for (std::size_t i = 0; i < cells.size(); ++i) out += (i == 0 ? "" : " & ") + cells[i];
  out += " \\\\\n";
}

void add_latex_table(const TextTable& table, std::string& out) {
  const char* const alignment = table.groups.empty() ? "l" : "r";
  out += "\\begin{tabular}{l";
  for (std::size_t i = 1; i < table.head.size(); ++i) out += alignment;
  out += "}\n\\hline\n";
  if (!table.groups.empty()) {
    std::vector<std::string> titles{""};
    for (const TextTable::Group& group : table.groups)
      titles.push_back(fmt::format("\\multicolumn{{{}}}{{c}}{{{}}}", group.num_columns,
                                   escaped_for_latex(group.title)));
    add_latex_line(titles, out);
  }
  std::vector<std::string> head;
  for (const std::string& name : table.head) head.push_back(escaped_for_latex(name));
  add_latex_line(head, out);
  out += "\\hline\n";
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    cells.reserve(row.size());
    for (const TextTable::Cell& cell : row) cells.push_back(latex_cell(cell));
    add_latex_line(cells, out);
  }
  out += "\\hline\n\\end{tabular}\n\n";
}

void add_latex_notes(const std::vector<std::string>& notes, std::string& out) {
  out += "\\par\\smallskip\n{\\footnotesize\n";
  for (const std::string& note : notes) out += note + "\n";
  out += "\\par}\n";
}

void add_comments(const std::vector<std::string>& lines, std::string& out) {
  for (const std::string& line : lines) out += fmt::format("% {}\n", printable(line));
}

}  // namespace

std::string escaped_for_latex(std::string_view raw) {
  const std::string shown = printable(raw, "\n");
  const std::string_view text = shown;
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.substr(i).starts_with("±")) {
      escaped += "$\\pm$";
      i += std::string_view("±").size() - 1;
    } else if (std::string_view("#$%&_{}").find(c) != std::string_view::npos) {
      escaped += {'\\', c};
    } else if (c == '\\') {
      escaped += "\\textbackslash{}";
    } else if (c == '^') {
      escaped += "\\textasciicircum{}";
    } else if (c == '~') {
      escaped += "\\textasciitilde{}";
    } else if (c == '[' || c == ']' || c == '*') {  // behind a line's end they would belong to it
      escaped += fmt::format("{{{}}}", c);
    } else if (c == '<' || c == '>' || c == '|') {
      escaped += fmt::format("${}$", c);
    } else {
      escaped += c == '\n' ? ' ' : c;
    }
  }
  return escaped == "-" ? "--" : escaped;
}

std::string to_latex(const TablePage& page) {
  std::string out;
  add_comments({page.title}, out);
  for (const TextTable& table : page.tables) add_latex_table(table, out);
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < page.notes.size(); ++i)
    notes.push_back(fmt::format("$^{{{}}}$ {}.", i + 1, escaped_for_latex(page.notes[i])));
  for (const std::string& line : page.legend) notes.push_back(escaped_for_latex(line));
  add_latex_notes(notes, out);
  if (!page.differences.tables.empty()) {
    out += "\n";
    add_latex_notes({escaped_for_latex(page.differences.title)}, out);
    out += "\n";
  }
  for (const TextTable& table : page.differences.tables) add_latex_table(table, out);
  for (const TextTable& table : page.references) {
    out += "\n";
    add_latex_table(table, out);
  }
  add_comments(page.remarks, out);
  add_comments(page.runs, out);
  return out;
}

}  // namespace localbatch
