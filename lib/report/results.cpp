#include "report/results.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "experiment/experiment_file.h"
#include "report/labels.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"

namespace localbatch {

namespace {

std::size_t place_of(const std::string& name, std::vector<std::string>& names) {
  const auto found = std::ranges::find(names, name);
  const auto place = static_cast<std::size_t>(found - names.begin());
  if (found == names.end()) names.push_back(name);
  return place;
}

std::string name_of(const SeedRun& run) {
  return run.cell > 0 ? fmt::format("cell {}", run.cell) : run.run.folder;
}

/// The keys of a run's data set without its place, and the seed, which makes data that are made up.
std::string data_asked_for(const Settings& settings) {
  std::string all;
  for (const auto& [key, value] : settings.entries())
    if (key == "seed" || (key.starts_with("dataset.") && !is_place(key)))
      all += fmt::format("{}: {}\n", key, value);
  return all;
}

/// Says where runs of the same data set read other data, of which only their manifests tell.
void compare_data(Results& results) {
  std::map<std::string, const SeedRun*> first;
  for (const ResultCell& cell : results.cells) {
    for (const SeedRun& run : cell.runs) {
      const std::string data = manifest_fact(run.run, "data");
      if (data.empty()) continue;
      const SeedRun* const other =
          first.try_emplace(data_asked_for(run.run.settings), &run).first->second;
      const std::string theirs = manifest_fact(other->run, "data");
      if (theirs == data) continue;
      results.remarks.push_back(
          fmt::format("{} and {} have the same data set and read other data, with the checksums {} "
                      "and {} in their manifests",
                      name_of(*other), name_of(run), theirs, data));
      return;
    }
  }
}

}  // namespace

Results arranged(std::string title, std::vector<PlacedRun> runs, std::vector<std::string> remarks) {
  Results results{.title = std::move(title),
                  .rows = {},
                  .groups = {},
                  .cells = {},
                  .remarks = std::move(remarks)};
  for (PlacedRun& placed : runs) {
    const std::size_t row = place_of(placed.row, results.rows);
    const std::size_t group = place_of(placed.group, results.groups);
    auto cell = std::ranges::find_if(results.cells, [row, group](const ResultCell& other) {
      return other.row == row && other.group == group;
    });
    if (cell == results.cells.end())
      cell = results.cells.insert(cell, {.row = row, .group = group, .runs = {}});
    const auto other = std::ranges::find(cell->runs, placed.seed_run.seed, &SeedRun::seed);
    if (other == cell->runs.end()) {
      cell->runs.push_back(std::move(placed.seed_run));
      continue;
    }
    if (!have_same_results(other->run, placed.seed_run.run))
      fail_input("{} and {}: both are {}, {}, seed {}; expected one of them", name_of(*other),
                 name_of(placed.seed_run), placed.row, placed.group, other->seed);
    results.remarks.push_back(fmt::format("{} was left out, as {} has the same results",
                                          name_of(placed.seed_run), name_of(*other)));
  }
  std::ranges::sort(results.cells, [](const ResultCell& a, const ResultCell& b) {
    return std::pair(a.row, a.group) < std::pair(b.row, b.group);
  });
  compare_data(results);
  return results;
}

std::optional<std::size_t> cell_at(const Results& results, std::size_t row, std::size_t group) {
  const auto found = std::ranges::find_if(results.cells, [row, group](const ResultCell& cell) {
    return cell.row == row && cell.group == group;
  });
  if (found == results.cells.end()) return {};
  return static_cast<std::size_t>(found - results.cells.begin());
}

bool counts(const FinishedRun& run, Counted counted) {
  if (counted == Counted::kFinished) return run.status == RunStatus::kFinished;
  if (counted == Counted::kDiverged) return run.status == RunStatus::kDiverged;
  return !has_ended(run.status) && run.rounds.has_value();
}

Counted counted_runs(const Results& results, const ResultCell& cell) {
  const auto has = [&cell](Counted counted) {
    return std::ranges::any_of(cell.runs,
                               [counted](const SeedRun& run) { return counts(run.run, counted); });
  };
  if (has(Counted::kFinished)) return Counted::kFinished;
  return results.unfinished && has(Counted::kUnfinished) ? Counted::kUnfinished
                                                         : Counted::kDiverged;
}

namespace fs = std::filesystem;

namespace {

/// "scaled" for ../results/scaled/ and for the folder itself.
std::string own_name(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder, error);
  return whole.filename().string();
}

std::vector<FinishedRun> runs_in(const fs::path& source) {
  std::vector<FinishedRun> runs;
  for (const fs::path& folder : folders_of_runs(source)) {
    const fs::path inside = folder.lexically_relative(source);
    const fs::path shown = inside == "." ? fs::path(own_name(source)) : own_name(source) / inside;
    runs.push_back(read_finished_run(folder, shown.generic_string()));
  }
  if (runs.empty())
    fail_input("{}: holds no run, expected folders with an experiment.yaml", source.string());
  return runs;
}

using SettingsOf = std::function<Settings(const PlacedRun&)>;

/// Gives rows or groups of one name and different settings names of their own.
void tell_apart(std::vector<PlacedRun>& runs, std::string PlacedRun::*name,
                const SettingsOf& settings_of) {
  std::vector<std::string> names;
  std::vector<Settings> settings;
  for (const PlacedRun& run : runs) {
    names.push_back(run.*name);
    settings.push_back(settings_of(run));
  }
  names = disambiguated(names, settings);
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].*name = std::move(names[i]);
}

Settings group_settings(const PlacedRun& run) { return settings_of_sync_interval(run.settings); }
Settings row_settings(const PlacedRun& run) { return settings_of_row(run.settings); }

/// Runs in one row at one H with different settings. At different H a sweep may give a row what
/// each of them needs, such as a learning rate.
std::vector<std::pair<const PlacedRun*, const PlacedRun*>> unlike_runs(
    const std::vector<PlacedRun>& runs) {
  std::map<std::pair<std::string, std::string>, const PlacedRun*> of_cells;
  std::vector<std::pair<const PlacedRun*, const PlacedRun*>> unlike;
  for (const PlacedRun& run : runs) {
    const PlacedRun* const first = of_cells.try_emplace({run.row, run.group}, &run).first->second;
    if (row_settings(*first).entries() != row_settings(run).entries())
      unlike.emplace_back(first, &run);
  }
  return unlike;
}

/// A mean over seeds is one of the same settings, whatever sweeps call them. A name that is made
/// for that can be one that a sweep has given to other runs.
void tell_settings_apart(std::vector<PlacedRun>& runs) {
  tell_apart(runs, &PlacedRun::group, group_settings);
  std::set<std::string> mixed;
  for (const auto& [first, run] : unlike_runs(runs)) mixed.insert(run->row);
  tell_apart(runs, &PlacedRun::row, [&mixed](const PlacedRun& run) {
    return mixed.contains(run.row) ? row_settings(run) : Settings();
  });
  for (const auto& [first, run] : unlike_runs(runs)) {
    const std::vector<std::string> names =
        disambiguated({run->row, run->row}, {row_settings(*first), row_settings(*run)});
    if (names[0] != names[1])
      fail_input("{} and {}: both are '{}', and differ: '{}', '{}'; expected different names",
                 name_of(first->seed_run), name_of(run->seed_run), run->row, names[0], names[1]);
  }
}

/// Named after what their settings say, in an order for people.
std::vector<PlacedRun> placed_by_settings(std::vector<FinishedRun> runs) {
  std::vector<PlacedRun> placed;
  for (FinishedRun& run : runs) {
    PlacedRun& one = placed.emplace_back();
    one.row = schedule_label(run.settings);
    one.group = sync_interval_label(run.settings);
    one.settings = run.settings;
    std::string seed = run.settings.value("seed");
    one.seed_run = {.cell = 0, .seed = std::move(seed), .run = std::move(run)};
  }
  tell_apart(placed, &PlacedRun::group, group_settings);
  tell_apart(placed, &PlacedRun::row, row_settings);
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
  std::vector<FinishedRun> in_folders;
  std::set<std::string> folder_titles, experiments;
  for (const fs::path& source : request.sources) {
    std::error_code error;
    if (fs::is_directory(source, error)) {
      for (FinishedRun& run : runs_in(source)) {
        experiments.insert(run.settings.value("experiment"));
        in_folders.push_back(std::move(run));
      }
      folder_titles.insert(own_name(source));
      continue;
    }
    parts.push_back(
        sweep_results({.file = source, .settings = request.settings, .output = request.output},
                      titles.emplace_back(), remarks));
  }
  if (!in_folders.empty()) {
    parts.push_back(placed_by_settings(std::move(in_folders)));
    std::string title = join(std::vector(folder_titles.begin(), folder_titles.end()), ", ");
    if (folder_titles != experiments)
      title += ": " + join(std::vector(experiments.begin(), experiments.end()), ", ");
    titles.push_back(std::move(title));
  }
  tell_files_apart(parts, titles);
  std::vector<PlacedRun> all;
  for (std::vector<PlacedRun>& part : parts)
    for (PlacedRun& run : part) all.push_back(std::move(run));
  tell_settings_apart(all);
  Results results = arranged(join(titles, ", "), std::move(all), std::move(remarks));
  results.unfinished = request.unfinished;
  return results;
}

namespace {

/// Looks for the keys whose values are not their defaults, among those that a resolved file shows,
/// and for those of empty texts, which it leaves out.
void sort_keys(const std::vector<Declaration>& declarations, const std::string& place,
               ExpectedCell& cell) {
  for (const Declaration& declared : declarations) {
    const std::string key = place + declared.key;
    if (!declared.parts.empty()) {
      sort_keys(declared.parts, key + ".", cell);
      continue;
    }
    const std::string* const value = cell.settings.find(key);
    if (value == nullptr) {
      if (!declared.may_be_absent) cell.empty.push_back(key);
    } else if (*value != declared.fallback) {
      cell.not_default.push_back(key);
    }
  }
}

/// Keeps the better of two runs of a cell.
void keep(FinishedRun run, int number, std::optional<FinishedRun>& kept,
          std::vector<std::string>& remarks) {
  if (!kept) {
    kept = std::move(run);
    return;
  }
  if (has_ended(run.status) && has_ended(kept->status)) {
    if (!have_same_results(run, *kept))
      fail_input("{} and {}: both are results of cell {}, expected one of them", kept->folder,
                 run.folder, number);
    remarks.push_back(fmt::format("cell {}: {} was left out, as {} has the same results", number,
                                  run.folder, kept->folder));
    return;
  }
  if (has_ended(run.status) || (!has_ended(kept->status) && run.percent > kept->percent))
    std::swap(run, *kept);
  remarks.push_back(fmt::format("cell {}: {} was left out, as {} has more of the same run", number,
                                run.folder, kept->folder));
}

std::string row_label(const ExpectedCell& cell) {
  const std::string label = coordinates_label(cell.coordinates, cell.settings);
  return label.empty() ? schedule_label(cell.settings) : label;
}

/// The number of threads changes no result, so it makes no row of its own. An empty text does, as
/// that of a file that is not used.
Settings settings_to_tell_apart(const ExpectedCell& cell) {
  std::vector<std::pair<std::string, std::string>> entries = cell.settings.entries();
  std::erase_if(entries, [](const auto& entry) { return entry.first == "threads_per_worker"; });
  for (const std::string& key : cell.empty) entries.emplace_back(key, "none");
  return Settings(std::move(entries));
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
    cell.settings =
        settings_of(parse_yaml(resolved_yaml(run.experiment.resolved), request.file.string()));
    sort_keys(run.experiment.resolved, "", cell);
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
  std::vector<std::optional<FinishedRun>> found(cells.size());
  std::set<std::string> experiments;
  std::set<fs::path> own;
  const auto shown = [&request](const fs::path& folder) {
    return folder.lexically_relative(request.output).generic_string();
  };
  // Cells with the same settings have one folder, and one run.
  for (std::size_t i = 0; i < cells.size(); ++i) {
    experiments.insert(cells[i].experiment);
    if (!is_there(cells[i].folder / "experiment.yaml")) continue;
    own.insert(cells[i].folder);
    found[i] = read_finished_run(cells[i].folder, shown(cells[i].folder));
  }
  for (const std::string& experiment : experiments)
    for (const fs::path& folder : folders_of_runs(request.output / experiment)) {
      if (own.contains(folder)) continue;
      FinishedRun run = read_finished_run(folder, shown(folder));
      const std::vector<std::size_t> places = cells_of_run(run.settings, cells);
      if (places.size() != 1) {
        remarks.push_back(fmt::format("{} was left out: it belongs to {} of {}", run.folder,
                                      places.empty() ? "no cell" : "more than one cell",
                                      request.file.filename().string()));
        continue;
      }
      keep(std::move(run), cells[places[0]].number, found[places[0]], remarks);
    }
  title = join(std::vector(experiments.begin(), experiments.end()), ", ");
  std::vector<PlacedRun> placed;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    FinishedRun run;
    run.settings = cells[i].settings;
    note_failure(run, cells[i].folder);
    if (found[i]) run = std::move(*found[i]);
    placed.push_back({.row = row_label(cells[i]),
                      .group = sync_interval_label(cells[i].settings),
                      .seed_run = {.cell = cells[i].number,
                                   .seed = cells[i].settings.value("seed"),
                                   .run = std::move(run)},
                      .settings = settings_to_tell_apart(cells[i])});
  }
  return placed;
}

}  // namespace localbatch
