#include "json_documents.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "commands.h"
#include "printers.h"
#include "report/table_text.h"

namespace localbatch {

namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json json_of(const CellProgress& cell) {
  Json coordinates = Json::object();
  for (const auto& [axis, value] : cell.coordinates) coordinates[axis] = value;
  return {{"cell", cell.number > 0 ? Json(cell.number) : Json()},
          {"coordinates", std::move(coordinates)},
          {"folder", cell.folder.string()},
          {"state", state_of(cell)},
          {"failure", text_or_null(cell.failure)},
          {"samples", cell.samples},
          {"max_samples", cell.max_samples},
          {"seconds", cell.seconds},
          {"seconds_since_round", or_null(cell.seconds_since_round)}};
}

}  // namespace

void print_json(const Json& document) {
  // Paths and names of hosts may be any bytes.
  print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

Json json_of(const std::string& source, const std::vector<CellProgress>& cells) {
  Json runs = Json::array();
  for (const CellProgress& cell : cells) runs.push_back(json_of(cell));
  return {{"source", source},
          {"seconds_left", or_null(seconds_left(cells))},
          {"runs", std::move(runs)}};
}

Json json_of(const std::vector<RankFacts>& ranks, const Launch& launch, const Diagnoses& found) {
  Json facts = Json::array(), findings = Json::array();
  for (const RankFacts& rank : ranks) facts.push_back(Json::parse(to_text(rank)));
  for (const Diagnosis& diagnosis : found) {
    findings.push_back({{"severity", severity_name(diagnosis.severity)},
                        {"text", diagnosis.text},
                        {"advice", text_or_null(diagnosis.advice)}});
  }
  return {{"would_start", !has_refusal(found)},
          {"workers", or_null(launch.workers)},
          {"threads_per_worker", launch.threads_per_worker},
          {"output", launch.output.string()},
          {"ranks", std::move(facts)},
          {"findings", std::move(findings)}};
}

namespace {

/// The names of columns have their units but for accuracies.
std::string key_of(const ResultColumn& column) {
  const bool is_percentage = column.meaning.ends_with("percent");
  return std::string(column.name) + (is_percentage ? "_percent" : "");
}

Json json_of(const ResultColumn& column, const TableEntry& entry) {
  if (!entry.sample && entry.never == 0) return {};
  const Sample sample = entry.sample.value_or(Sample());
  Json figure{{"mean", entry.sample ? Json(sample.mean) : Json()},
              {"standard_deviation", or_null(sample.standard_deviation)},
              {"n", sample.n},
              {"so_far", entry.so_far},
              {"best", entry.best}};
  if (!column.target.empty()) {
    figure["reached"] = sample.n;
    figure["not_reached"] = entry.never;
  }
  return figure;
}

Json json_of(const SeedRun& run) {
  const std::string state = status_text(run.run);  // "unfinished, 41 %"
  return {{"seed", run.seed},
          {"cell", run.cell > 0 ? Json(run.cell) : Json()},
          {"state", state.substr(0, state.find(','))},
          {"percent_of_samples", run.run.percent},
          {"failure", text_or_null(run.run.failure)},
          {"folder", run.run.folder},
          {"commit", text_or_null(manifest_fact(run.run, "commit"))}};
}

}  // namespace

Json json_of(const ResultTable& table) {
  const Results& results = table.results;
  Json columns = Json::object(), cells = Json::array();
  for (const ResultColumn& column : table.columns) columns[key_of(column)] = column.meaning;
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const ResultCell& cell = results.cells[i];
    Json runs = Json::array(), figures = Json::object();
    for (const SeedRun& run : cell.runs) runs.push_back(json_of(run));
    for (std::size_t j = 0; j < table.columns.size(); ++j)
      figures[key_of(table.columns[j])] = json_of(table.columns[j], table.entries[i][j]);
    cells.push_back({{"schedule", results.rows[cell.row]},
                     {"H", results.groups[cell.group]},
                     {"figures", std::move(figures)},
                     {"runs", std::move(runs)}});
    if (std::ranges::any_of(table.columns, is_of_best))
      cells.back()["best_chosen_on"] = text_or_null(text_of(chosen_on(results, cell)));
  }
  Json document{{"title", results.title},
                {"columns", std::move(columns)},
                {"cells", std::move(cells)},
                {"remarks", results.remarks}};
  if (const std::string target = target_of(table); !target.empty()) document["target"] = target;
  return document;
}

namespace {

Json json_of(const PairedDifference& difference) {
  const std::optional<double>& margin = difference.margin;
  return {{"mean_difference", difference.mean},
          {"interval_low", margin ? Json(difference.mean - *margin) : Json()},
          {"interval_high", margin ? Json(difference.mean + *margin) : Json()},
          {"pairs", difference.seeds.size()},
          {"seeds", difference.seeds}};
}

}  // namespace

Json json_of(const Differences& differences, const ResultTable& table) {
  const Results& results = table.results;
  Json cells = Json::array();
  for (const RowDifferences& row : differences.rows) {
    Json figures = Json::object();
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      figures[key_of(table.columns[i])] = row.figures[i] ? json_of(*row.figures[i]) : Json();
    cells.push_back({{"schedule", results.rows[results.cells[row.cell].row]},
                     {"H", results.groups[results.cells[row.cell].group]},
                     {"figures", std::move(figures)}});
  }
  return {{"against", differences.against}, {"confidence", 0.95}, {"cells", std::move(cells)}};
}

}  // namespace localbatch
