#include "report/collect_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "report/labels.h"
#include "report/sweep_results.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// "scaled" for ../results/scaled/ and for the folder itself.
std::string own_name(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder, error);
  return whole.filename().string();
}

std::vector<RecordedRun> runs_in(const fs::path& source) {
  std::vector<RecordedRun> runs;
  for (const fs::path& folder : folders_of_runs(source)) {
    const fs::path inside = folder.lexically_relative(source);
    const fs::path shown = inside == "." ? fs::path(own_name(source)) : own_name(source) / inside;
    runs.push_back(read_recorded_run(folder, shown.generic_string()));
  }
  if (runs.empty())
    fail_input("{}: holds no run, expected folders with an experiment.yaml", source.string());
  return runs;
}

/// Named after what their settings say, in an order for people.
std::vector<PlacedRun> placed_by_settings(std::vector<RecordedRun> runs) {
  std::vector<std::string> rows, groups;
  std::vector<Settings> of_rows, of_groups;
  for (const RecordedRun& run : runs) {
    rows.push_back(schedule_label(run.settings));
    groups.push_back(sync_interval_label(run.settings));
    of_rows.push_back(settings_of_row(run.settings));
    of_groups.push_back(settings_of_sync_interval(run.settings));
  }
  rows = told_apart(rows, of_rows);
  groups = told_apart(groups, of_groups);
  std::vector<PlacedRun> placed;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::string seed = runs[i].settings.value("seed");
    placed.push_back({.row = rows[i],
                      .group = groups[i],
                      .seed_run = {.cell = 0, .seed = std::move(seed), .run = std::move(runs[i])}});
  }
  std::ranges::stable_sort(placed, [](const PlacedRun& a, const PlacedRun& b) {
    if (a.group != b.group) return comes_before(a.group, b.group);
    if (a.row != b.row) return comes_before(a.row, b.row);
    return comes_before(a.seed_run.seed, b.seed_run.seed);
  });
  return placed;
}

/// Rows of different files that have the same name get that of their experiment.
void tell_files_apart(std::vector<std::vector<PlacedRun>>& parts,
                      const std::vector<std::string>& titles) {
  std::map<std::string, std::set<std::size_t>> users;
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (const PlacedRun& run : parts[i]) users[run.row].insert(i);
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (PlacedRun& run : parts[i])
      if (users[run.row].size() > 1) run.row += fmt::format(" ({})", titles[i]);
}

}  // namespace

Results collect_results(const ResultsRequest& request) {
  std::vector<std::vector<PlacedRun>> parts;
  std::vector<std::string> titles, remarks;
  std::vector<RecordedRun> in_folders;
  std::set<std::string> folder_titles;
  for (const fs::path& source : request.sources) {
    std::error_code error;
    if (fs::is_directory(source, error)) {
      for (RecordedRun& run : runs_in(source)) in_folders.push_back(std::move(run));
      folder_titles.insert(own_name(source));
      continue;
    }
    parts.push_back(
        sweep_results({.file = source, .settings = request.settings, .output = request.output},
                      titles.emplace_back(), remarks));
  }
  if (!in_folders.empty()) {
    parts.push_back(placed_by_settings(std::move(in_folders)));
    titles.push_back(fmt::format("{}", fmt::join(folder_titles, ", ")));
  }
  tell_files_apart(parts, titles);
  std::vector<PlacedRun> all;
  for (std::vector<PlacedRun>& part : parts)
    for (PlacedRun& run : part) all.push_back(std::move(run));
  return arranged(fmt::format("{}", fmt::join(titles, ", ")), std::move(all), std::move(remarks));
}

}  // namespace localbatch
