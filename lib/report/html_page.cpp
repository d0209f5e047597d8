#include "report/html_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/text.h"
#include "report/table_formats.h"

namespace localbatch {

namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --line: #8886; }
body { font: 15px/1.5 sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
table.figures td, table.figures thead th { text-align: right; }
table.figures td { white-space: nowrap; }
table.figures tbody th { min-width: 9rem; }
table.figures thead th[colspan] { text-align: center; }
table.figures thead th:first-child { text-align: left; }
tbody th { font-weight: normal; }
figure { margin: 1.5rem 0; break-inside: avoid; }
figure svg { max-width: 100%; height: auto; background: #fff; color: #000; }
td { overflow-wrap: anywhere; }
@media print { body { max-width: none; margin: 0; font-size: 10px; } .wide { overflow: visible; } }
)";

constexpr std::array<const char*, 15> kFacts{"version",
                                             "commit",
                                             "compiler",
                                             "build_type",
                                             "march",
                                             "built_for",
                                             "onednn",
                                             "instruction_set",
                                             "mpi",
                                             "host",
                                             "cpu",
                                             "ranks",
                                             "workers",
                                             "threads_per_worker",
                                             "cores_of_rank_0"};

void add_row(const std::vector<std::string>& cells, const char* kind, std::string& out) {
  out += "<tr>";
  for (const std::string& cell : cells)
    out += fmt::format("<{0}>{1}</{0}>", kind, escaped_for_html(cell));
  out += "</tr>\n";
}

void add_page_table(const std::vector<std::string>& head,
                    const std::vector<std::vector<std::string>>& rows, std::string& out) {
  out += "<div class=\"wide\"><table>\n<thead>";
  add_row(head, "th", out);
  out += "</thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : rows) add_row(row, "td", out);
  out += "</tbody>\n</table></div>\n";
}

template <class Visit>
void for_each_run(const Results& results, const Visit& visit) {
  for (const ResultCell& cell : results.cells)
    for (const SeedRun& run : cell.runs) visit(cell, run);
}

/// All values of a key in the runs of a row: "4 | 16"; "-" where a run does not have it.
std::string values_in_row(const Results& results, std::size_t row, const std::string& key) {
  std::vector<std::string> values;
  for_each_run(results, [&](const ResultCell& cell, const SeedRun& run) {
    const std::string* const found = run.run.settings.find(key);
    const std::string value = found == nullptr ? "-" : *found;
    if (cell.row == row && std::ranges::find(values, value) == values.end())
      values.push_back(value);
  });
  return join(values, " | ");
}

void add_settings(const Results& results, std::string& out) {
  std::vector<Settings> all;
  for_each_run(results,
               [&all](const ResultCell&, const SeedRun& run) { all.push_back(run.run.settings); });
  const std::vector<std::string> differing = differing_keys(all, /*absence_counts=*/true);
  std::vector<std::string> head{"key"};
  head.insert(head.end(), results.rows.begin(), results.rows.end());
  std::vector<std::vector<std::string>> rows;
  for (const std::string& key : differing) {
    std::vector<std::string>& cells = rows.emplace_back(1, key);
    for (std::size_t row = 0; row < results.rows.size(); ++row)
      cells.push_back(values_in_row(results, row, key));
  }
  out += "<h2>Settings that differ</h2>\n";
  if (rows.empty())
    out += "<p>None.</p>\n";
  else
    add_page_table(head, rows, out);
  rows.clear();
  std::vector<std::string> seen;
  for (const Settings& settings : all)
    for (const auto& [key, value] : settings.entries()) {
      if (is_place(key) || std::ranges::find(seen, key) != seen.end()) continue;
      seen.push_back(key);
      if (std::ranges::find(differing, key) == differing.end()) rows.push_back({key, value});
    }
  out += "<details open><summary>Settings that all runs have</summary>\n";
  add_page_table({"key", "value"}, rows, out);
  out += "</details>\n";
}

/// Runs with the same facts together.
void add_manifests(const Results& results, std::string& out) {
  std::vector<std::pair<std::vector<std::string>, int>> groups;
  int without = 0;
  for_each_run(results, [&](const ResultCell&, const SeedRun& run) {
    if (run.run.folder.empty()) return;
    if (run.run.manifest.empty()) ++without;
    const std::map<std::string, std::string> known(run.run.manifest.begin(),
                                                   run.run.manifest.end());
    if (known.empty()) return;
    std::vector<std::string> facts;
    for (const char* const fact : kFacts) {
      const auto found = known.find(fact);
      facts.push_back(found == known.end() ? "" : found->second);
    }
    const auto same =
        std::ranges::find(groups, facts, [](const auto& group) { return group.first; });
    if (same == groups.end())
      groups.emplace_back(facts, 1);
    else
      ++same->second;
  });
  out += "<h2>Machines and versions</h2>\n";
  if (without > 0) out += fmt::format("<p>Not recorded for {} of the runs.</p>\n", without);
  if (groups.empty()) return;
  std::vector<std::string> head{"runs"};
  std::vector<std::vector<std::string>> rows;
  for (const auto& [facts, count] : groups) head.push_back(fmt::format("{}", count));
  for (std::size_t i = 0; i < kFacts.size(); ++i) {
    std::vector<std::string>& row = rows.emplace_back(1, kFacts[i]);
    for (const auto& [facts, count] : groups) row.push_back(facts[i]);
  }
  add_page_table(head, rows, out);
}

void add_runs(const Results& results, std::string& out) {
  std::vector<std::vector<std::string>> rows;
  for_each_run(results, [&](const ResultCell& cell, const SeedRun& run) {
    rows.push_back({run.cell > 0 ? fmt::format("{}", run.cell) : "", results.rows[cell.row],
                    results.groups[cell.group], run.seed, status_text(run.run), run.run.folder,
                    manifest_fact(run.run, "commit")});
  });
  out += "<h2>Runs</h2>\n";
  add_page_table({"cell", "schedule", "H", "seed", "state", "folder", "commit"}, rows, out);
}

}  // namespace

std::string html_page(const Results& results, const TablePage& table,
                      const std::vector<PageFigure>& figures) {
  const std::string title = escaped_for_html(results.title);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
      title, kStyle);
  out += to_html(table);
  if (!figures.empty()) out += "<h2>Curves</h2>\n";
  for (const PageFigure& figure : figures)
    out += fmt::format("<figure>\n{}\n<figcaption>{}</figcaption>\n</figure>\n", figure.svg,
                       escaped_for_html(figure.caption));
  add_settings(results, out);
  add_manifests(results, out);
  add_runs(results, out);
  return out + "</body>\n</html>\n";
}

}  // namespace localbatch
