#include "report/sweep_results.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "core/error.h"
#include "experiment/experiment_file.h"
#include "report/labels.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// Of the keys that a resolved file shows: it leaves out empty texts.
void add_not_default(const std::vector<Declaration>& declarations, const Settings& settings,
                     const std::string& place, std::vector<std::string>& keys) {
  for (const Declaration& declared : declarations) {
    const std::string key = place + declared.key;
    if (!declared.parts.empty()) {
      add_not_default(declared.parts, settings, key + ".", keys);
      continue;
    }
    const std::string* const value = settings.find(key);
    if (value != nullptr && *value != declared.fallback) keys.push_back(key);
  }
}

/// Keeps the better of two runs of a cell.
void keep(RecordedRun run, int number, std::optional<RecordedRun>& kept,
          std::vector<std::string>& remarks) {
  if (!kept) {
    kept = std::move(run);
    return;
  }
  if (has_ended(run) && has_ended(*kept))
    fail_input("{} and {}: both are results of cell {}, expected one of them", kept->folder,
               run.folder, number);
  if (has_ended(run) || (!has_ended(*kept) && run.percent > kept->percent)) std::swap(run, *kept);
  remarks.push_back(fmt::format("cell {}: {} was left out, as {} has more of the same run", number,
                                run.folder, kept->folder));
}

std::vector<std::string> row_labels(const std::vector<ExpectedCell>& cells) {
  std::vector<std::string> labels;
  for (const ExpectedCell& cell : cells) {
    std::string label = coordinates_label(cell.coordinates, cell.settings);
    labels.push_back(label.empty() ? schedule_label(cell.settings) : std::move(label));
  }
  return labels;
}

std::vector<std::string> group_labels(const std::vector<ExpectedCell>& cells) {
  std::vector<std::string> labels;
  std::vector<Settings> settings;
  for (const ExpectedCell& cell : cells) {
    labels.push_back(sync_interval_label(cell.settings));
    settings.push_back(settings_of_sync_interval(cell.settings));
  }
  return told_apart(labels, settings);
}

}  // namespace

std::vector<ExpectedCell> expected_cells(RunRequest request) {
  request.cpu_has_bfloat16 = true;
  std::vector<ExpectedCell> cells;
  for (RequestedRun& run : read_requests(request)) {
    ExpectedCell& cell = cells.emplace_back();
    cell.number = static_cast<int>(cells.size());
    cell.experiment = run.experiment.name;
    cell.folder = std::move(run.folder);
    cell.coordinates = std::move(run.coordinates);
    cell.settings = settings_of(
        parse_experiment(resolved_yaml(run.experiment.resolved), request.file.string()));
    add_not_default(run.experiment.resolved, cell.settings, "", cell.not_default);
  }
  return cells;
}

std::vector<std::size_t> cells_of_run(const Settings& run, const std::vector<ExpectedCell>& cells) {
  std::vector<std::size_t> agreeing, by_default;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!agree(run, cells[i].settings)) continue;
    agreeing.push_back(i);
    if (std::ranges::all_of(cells[i].not_default, [&run](const std::string& key) {
          return is_place(key) || run.find(key) != nullptr;
        }))
      by_default.push_back(i);
  }
  return agreeing.size() > 1 ? by_default : agreeing;
}

std::vector<PlacedRun> sweep_results(const RunRequest& request, std::string& title,
                                     std::vector<std::string>& remarks) {
  const std::vector<ExpectedCell> cells = expected_cells(request);
  std::vector<std::optional<RecordedRun>> found(cells.size());
  std::set<std::string> experiments;
  for (const ExpectedCell& cell : cells) experiments.insert(cell.experiment);
  for (const std::string& experiment : experiments)
    for (const fs::path& folder : folders_of_runs(request.output / experiment)) {
      RecordedRun run =
          read_recorded_run(folder, folder.lexically_relative(request.output).generic_string());
      const std::vector<std::size_t> places = cells_of_run(run.settings, cells);
      if (places.size() == 1) {
        keep(std::move(run), cells[places[0]].number, found[places[0]], remarks);
      } else {
        remarks.push_back(fmt::format("{} was left out: it belongs to {} of {}", run.folder,
                                      places.empty() ? "no cell" : "more than one cell",
                                      request.file.filename().string()));
      }
    }
  title = fmt::format("{}", fmt::join(experiments, ", "));
  const std::vector<std::string> rows = row_labels(cells), groups = group_labels(cells);
  std::vector<PlacedRun> placed;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    RecordedRun run;
    run.settings = cells[i].settings;
    run.failure = failure_in(cells[i].folder);
    if (found[i]) run = std::move(*found[i]);
    placed.push_back({.row = rows[i],
                      .group = groups[i],
                      .seed_run = {.cell = cells[i].number,
                                   .seed = cells[i].settings.value("seed"),
                                   .run = std::move(run)}});
  }
  return placed;
}

}  // namespace localbatch
