#include "report/finished_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/files.h"
#include "core/parse.h"
#include "core/text.h"
#include "experiment/branch.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "run/run_files.h"

namespace localbatch {

namespace fs = std::filesystem;
namespace {

double last_of(const std::optional<CsvColumns>& columns, const std::string& name) {
  if (!columns || columns->num_rows() == 0 || !columns->has(name)) return 0;
  return columns->numbers(name).back().value_or(0);
}

double last_position(const std::optional<CsvColumns>& columns) {
  if (!columns || columns->num_rows() == 0 || !columns->has("samples")) return 0;
  return columns->positions("samples").back();
}

/// A table of curves that somebody has cut short would be wrong without a sign of it.
void check_is_whole(const FinishedRun& run, const fs::path& folder, std::int64_t rounds) {
  for (const auto& [name, columns] :
       {std::pair("rounds.csv", &run.rounds), std::pair("evaluations.csv", &run.evaluations)}) {
    if (!*columns || !(*columns)->has("round")) continue;
    // A run that diverges ends before it is evaluated.
    if (columns == &run.evaluations && run.status == RunStatus::kDiverged) continue;
    const std::vector<double> found = (*columns)->positions("round");
    const double last = found.empty() ? 0 : found.back();
    if (last < static_cast<double>(rounds))
      fail_input("{}: ends at round {}, and the run of its summary.json at {}",
                 (folder / name).string(), last, rounds);
  }
}

void judge_by_curves(FinishedRun& run) {
  const double evaluated = last_position(run.evaluations);
  const double samples = std::max(last_position(run.rounds), evaluated);
  const auto budget = static_cast<double>(samples_at_end(run.settings.entries()));
  run.status = RunStatus::kUnfinished;
  if (budget > 0) run.percent = static_cast<int>(std::min(100.0, 100 * samples / budget));
  const bool ended = budget > 0 && samples >= budget;
  if (ended && evaluated == samples) run.status = RunStatus::kFinished;
  if (!std::isfinite(last_of(run.rounds, "loss")) ||
      !std::isfinite(last_of(run.evaluations, "train_loss")))
    run.status = RunStatus::kDiverged;
}

/// A run that went on has a manifest for each start; facts that changed are all shown.
void read_manifests(const fs::path& folder, FinishedRun& run) {
  std::vector<fs::path> paths = paths_in(folder);
  std::erase_if(paths, [](const fs::path& path) {
    return path.filename() != "manifest.json" && !is_manifest_of_resumption(path);
  });
  std::ranges::sort(paths, [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return std::pair(x != "manifest.json", std::pair(x.size(), x)) <
           std::pair(y != "manifest.json", std::pair(y.size(), y));
  });
  for (const fs::path& path : paths) {
    for (const auto& [key, text] : read_manifest(path)) {
      const auto known =
          std::ranges::find(run.manifest, key, &std::pair<std::string, std::string>::first);
      if (known == run.manifest.end())
        run.manifest.emplace_back(key, text);
      else if ((", " + known->second + ",").find(", " + text + ",") == std::string::npos)
        known->second += ", " + text;
    }
  }
}

}  // namespace

FinishedRun read_finished_run(const fs::path& folder, std::string shown) {
  FinishedRun run{.folder = std::move(shown),
                  .path = folder,
                  .settings = settings_of(read_experiment_file(folder / "experiment.yaml")),
                  .rounds = columns_if_begun(folder / "rounds.csv"),
                  .evaluations = columns_if_begun(folder / "evaluations.csv"),
                  .timing = columns_if_begun(folder / "timing.csv")};
  judge_by_curves(run);
  if (is_there(folder / "summary.json")) {
    const RunSummary summary = read_summary(folder);
    run.status = summary.outcome;
    run.percent = 100;
    if (summary.rounds) check_is_whole(run, folder, *summary.rounds);
  }
  if (!has_ended(run.status)) note_failure(run, folder);
  read_manifests(folder, run);
  return run;
}

void note_failure(FinishedRun& run, const fs::path& folder) {
  const std::optional<std::string> failure = recorded_failure(folder);
  if (!failure) return;
  run.status = RunStatus::kFailed;
  run.failure = failure->substr(0, failure->find('\n'));
}

bool have_same_results(const FinishedRun& a, const FinishedRun& b) {
  const auto same = [&a, &b](const char* const curves) {
    return is_there(a.path / curves) && is_there(b.path / curves) &&
           read_text(a.path / curves) == read_text(b.path / curves);
  };
  return has_ended(a.status) && a.status == b.status && same("rounds.csv") &&
         same("evaluations.csv");
}

std::vector<fs::path> folders_of_runs(const fs::path& below) {
  std::vector<fs::path> folders;
  std::error_code error;
  if (!fs::is_directory(below, error)) return folders;
  if (fs::exists(below / "experiment.yaml", error)) return {below};
  fs::recursive_directory_iterator entry(below, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code none;
    if (!entry->is_directory(none) || !is_there(entry->path() / "experiment.yaml")) continue;
    folders.push_back(entry->path());
    entry.disable_recursion_pending();
  }
  if (error) fail_system("{}: cannot be read: {}", below.string(), error.message());
  std::ranges::sort(folders);
  return folders;
}

FinishedRun only_run_in(const fs::path& source) {
  const std::vector<fs::path> folders = folders_of_runs(source);
  if (folders.size() != 1)
    fail_input("{}: holds {}, expected the folder of one", source.string(),
               counted(static_cast<std::int64_t>(folders.size()), "run"));
  return read_finished_run(folders.front(), folders.front().string());
}

std::string manifest_fact(const FinishedRun& run, std::string_view name) {
  const auto found =
      std::ranges::find(run.manifest, name, &std::pair<std::string, std::string>::first);
  return found == run.manifest.end() ? std::string() : found->second;
}

namespace {

void add(const Node& node, const std::string& place,
         std::vector<std::pair<std::string, std::string>>& found) {
  if (node.kind != Node::Kind::kMap) {
    found.emplace_back(place, flow_text(node));
    return;
  }
  for (const Node::Entry& entry : node.entries)
    add(entry.value, place.empty() ? entry.key : place + "." + entry.key, found);
}

}  // namespace

const std::string* Settings::find(const std::string& key) const {
  for (const auto& [name, value] : entries_)
    if (name == key) return &value;
  return nullptr;
}

std::string Settings::value(const std::string& key) const {
  const std::string* const found = find(key);
  return found == nullptr ? std::string() : *found;
}

bool Settings::has_part(const std::string& key) const {
  return std::ranges::any_of(entries_, [&key](const auto& entry) {
    return entry.first == key || entry.first.starts_with(key + ".");
  });
}

Settings settings_of(const Node& experiment) {
  std::vector<std::pair<std::string, std::string>> found;
  add(experiment, "", found);
  return Settings(std::move(found));
}

bool is_place(const std::string& key) {
  for (const std::string_view part : {"branches", "checkpoint"})
    if (key == part || key.starts_with(std::string(part) + ".")) return true;
  return key == "experiment" || key == "dataset.root" || key == "kernels" || key == "model.initial";
}

namespace {

/// The keys and parts whose absence says something, as nothing stands in for them.
const std::vector<std::string>& keys_without_default() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> found;
    for (const PartDescription& description : describe_parts()) {
      if (description.may_be_absent) found.push_back(description.part);
      // The keys of a choice within a part stand in that part.
      const std::string part = description.part.substr(0, description.part.find('.'));
      const std::string within = part.empty() ? "" : part + ".";
      for (const Declaration& key : description.keys)
        if (key.may_be_absent) found.push_back(within + key.key);
    }
    std::erase_if(found, is_place);
    return found;
  }();
  return keys;
}

}  // namespace

bool has_no_default(const std::string& key) {
  return std::ranges::any_of(keys_without_default(), [&key](const std::string& optional) {
    return key == optional || key.starts_with(optional + ".");
  });
}

bool agree(const Settings& a, const Settings& b) {
  for (const std::string& key : keys_without_default())
    if (a.has_part(key) != b.has_part(key)) return false;
  const std::map<std::string, std::string> others(b.entries().begin(), b.entries().end());
  return std::ranges::all_of(a.entries(), [&others](const auto& entry) {
    const auto other = others.find(entry.first);
    return is_place(entry.first) || other == others.end() || other->second == entry.second;
  });
}

std::vector<std::string> differing_keys(const std::vector<Settings>& all, bool absence_counts) {
  struct Use {
    std::string first;
    std::size_t count = 0;
    bool differs = false;
  };
  std::map<std::string, Use> uses;
  std::vector<std::string> order, differing;
  for (const Settings& settings : all)
    for (const auto& [key, value] : settings.entries()) {
      if (is_place(key)) continue;
      const auto [known, is_new] = uses.emplace(key, Use{.first = value});
      if (is_new) order.push_back(key);
      Use& use = known->second;
      ++use.count;
      use.differs = use.differs || use.first != value;
    }
  for (const std::string& key : order)
    if (uses[key].differs ||
        ((absence_counts || has_no_default(key)) && uses[key].count < all.size()))
      differing.push_back(key);
  return differing;
}

}  // namespace localbatch
