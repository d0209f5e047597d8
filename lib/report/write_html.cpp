#include <fmt/core.h>

#include "core/text.h"
#include "report/table_formats.h"

namespace localbatch {

namespace {

std::string html_cell(const TextTable::Cell& cell) {
  std::string text = escaped_for_html(cell.text);
  if (cell.best) text = "<strong>" + text + "</strong>";
  if (!cell.notes.empty()) text += fmt::format("<sup>{}</sup>", join(cell.notes, ", "));
  return text;
}

void add_html_table(const TextTable& table, std::string& out) {
  out += fmt::format("<div class=\"wide\"><table{}>\n<thead>\n",
                     table.groups.empty() ? "" : " class=\"figures\"");
  if (!table.groups.empty()) {
    out += "<tr><td></td>";
    for (const TextTable::Group& group : table.groups)
      out += fmt::format("<th colspan=\"{}\">{}</th>", group.num_columns,
                         escaped_for_html(group.title));
    out += "</tr>\n";
  }
  out += "<tr>";
  for (const std::string& name : table.head) out += "<th>" + escaped_for_html(name) + "</th>";
  out += "</tr>\n</thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      out += i == 0 ? "<th>" + html_cell(row[i]) + "</th>" : "<td>" + html_cell(row[i]) + "</td>";
    out += "</tr>\n";
  }
  out += "</tbody>\n</table></div>\n";
}

void add_html_list(std::string_view kind, const std::vector<std::string>& items, std::string& out) {
  if (items.empty()) return;
  out += fmt::format("<{}>\n", kind);
  for (const std::string& item : items) out += "<li>" + escaped_for_html(item) + "</li>\n";
  out += fmt::format("</{}>\n", kind);
}

}  // namespace

std::string escaped_for_html(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text, "\n")) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string to_html(const TablePage& page) {
  std::string out;
  for (const TextTable& table : page.tables) add_html_table(table, out);
  add_html_list("ol", page.notes, out);
  add_html_list("ul", page.legend, out);
  if (!page.differences.tables.empty())
    out += fmt::format("<p>{}</p>\n", escaped_for_html(page.differences.title));
  for (const TextTable& table : page.differences.tables) add_html_table(table, out);
  for (const TextTable& table : page.references) {
    out += "<h3>Beside other figures</h3>\n";
    add_html_table(table, out);
  }
  if (!page.remarks.empty()) out += "<h3>Remarks</h3>\n";
  add_html_list("ul", page.remarks, out);
  return out;
}

}  // namespace localbatch
