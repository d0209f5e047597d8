#include "run/requested_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "doctor/doctor.h"
#include "experiment/experiment_file.h"
#include "run/run_experiment.h"
#include "run/run_folder.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

using Values = std::map<std::string, std::string>;  // by places

Values values_of(const std::string& settings) {
  const auto values = values_by_place(what_decides_results(settings));
  return {values.begin(), values.end()};
}

void add_defaults(const std::vector<Declaration>& declarations, const std::string& around,
                  std::set<std::string>& places) {
  for (const Declaration& declared : declarations) {
    const std::string place = around + declared.key;
    add_defaults(declared.parts, place + ".", places);
    if (declared.parts.empty() && !declared.may_be_absent && declared.value == declared.fallback)
      places.insert(place);
  }
}

/// The runs of an experiment that have ended, read when somebody looks for one.
class EndedRuns {
 public:
  explicit EndedRuns(fs::path output) : output_(std::move(output)) {}

  /// Makes a run whose folder is not there that of an earlier version.
  void find_earlier(RequestedRun& run) {
    const std::vector<Ended>& all = of_experiment(run.experiment.name);
    if (all.empty()) return;
    const Values values = values_of(run.settings);
    std::set<std::string> defaults;
    add_defaults(run.experiment.resolved, "", defaults);
    for (const Ended& ended : all) {
      if (!are_the_same(ended.values, values, defaults)) continue;
      run.folder = ended.folder;
      run.settings = read_text(ended.folder / "experiment.yaml");
      return;
    }
  }

 private:
  struct Ended {
    fs::path folder;
    Values values;
  };

  const std::vector<Ended>& of_experiment(const std::string& name) {
    const auto [known, is_new] = ended_.try_emplace(name);
    if (!is_new) return known->second;
    for (const fs::path& folder : paths_in(output_ / name)) {
      const fs::path settings = folder / "experiment.yaml";
      if (is_there(settings) && is_there(folder / "summary.json"))
        known->second.push_back({folder, values_of(read_text(settings))});
    }
    return known->second;
  }

  static bool are_the_same(const Values& earlier, const Values& values,
                           const std::set<std::string>& defaults) {
    return std::ranges::includes(values, earlier) &&
           std::ranges::all_of(values, [&](const auto& value) {
             const std::string& place = value.first;
             return earlier.contains(place) || defaults.contains(place.substr(0, place.find('[')));
           });
  }

  fs::path output_;
  std::map<std::string, std::vector<Ended>> ended_;
};

RequestedRun read_cell(const RunRequest& request, SweepCell cell, EndedRuns& ended) {
  RequestedRun run{
      .coordinates = std::move(cell.coordinates),
      .experiment = read_experiment(Options(cell.experiment), request.cpu_has_bfloat16),
      .folder = request.resumed_folder,
      .settings = {}};
  run.settings = resolved_yaml(run.experiment.resolved);
  if (!run.folder.empty()) return run;
  run.folder = run_folder(request.output, run.experiment.name,
                          run_name(cell_name(run.coordinates), request.settings), run.settings);
  if (!request.force && !is_there(run.folder)) ended.find_earlier(run);
  return run;
}

}  // namespace

std::vector<SweepCell> requested_cells(const RunRequest& request) {
  const Node file = read_experiment_file(request.file, request.settings);
  const std::vector<std::string> swept = swept_keys(file);
  for (const std::string& setting : request.settings) {
    const std::string key = setting.substr(0, setting.find('='));
    for (const std::string& other : swept)
      if (set_the_same(key, other))
        fail_input("--set {}: the sweep of {} sets {} as well, expected another key", setting,
                   request.file.string(), other);
  }
  return sweep_cells(file);
}

std::vector<RequestedRun> read_requests(const RunRequest& request) {
  std::vector<RequestedRun> runs;
  std::map<std::string, fs::path> folders;
  EndedRuns ended(request.output);
  for (SweepCell& cell : requested_cells(request)) {
    RequestedRun run = read_cell(request, std::move(cell), ended);
    // Cells with the same settings have one folder, whose name is the first one's.
    run.folder = folders.try_emplace(what_decides_results(run.settings), run.folder).first->second;
    runs.push_back(std::move(run));
  }
  return runs;
}

RequestedRun read_request(const RunRequest& request) {
  std::vector<SweepCell> cells = requested_cells(request);
  const auto count = static_cast<int>(cells.size());
  if (!request.cell && count > 1)
    fail_input("{}: has {} cells, expected --cell with the number of one", request.file.string(),
               count);
  const int number = request.cell.value_or(1);
  if (number < 1 || number > count)
    fail_input("--cell: found {}, {} has the cells 1 to {}", number, request.file.string(), count);
  EndedRuns ended(request.output);
  return read_cell(request, std::move(cells[number - 1]), ended);
}

namespace {

/// The word, quoted if a shell would not read it as it is.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "\"";
  for (const char c : word) {
    if (std::string_view("\"$`\\").find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text + '"';
}

}  // namespace

std::string run_command_line(const RunRequest& request) {
  std::string line = "localbatch run " + quoted(request.file.string());
  if (request.cell) line += fmt::format(" --cell {}", *request.cell);
  for (const std::string& setting : request.settings) line += " --set " + quoted(setting);
  // "results" is where a run writes if it is not told.
  if (request.output != "results") line += " --output " + quoted(request.output.string());
  if (request.force) line += " --force";
  return line;
}

Launch read_launch(const RunRequest& request) {
  if (request.file.empty()) return {.output = request.output, .may_write = !request.dry_run};
  RunRequest one = request;
  if (!one.cell) one.cell = 1;  // the first of several cells stands for all
  const RequestedRun run = read_request(one);
  return {.workers = run.experiment.workers,
          .threads_per_worker = run.experiment.worker_threads(),
          .network = run.experiment.task->has_network(),
          .command = run_command_line(request),
          .output = run.folder,
          .may_write = !request.dry_run};
}

}  // namespace localbatch
