#include "run/requested_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "core/error.h"
#include "doctor/doctor.h"
#include "experiment/experiment_file.h"
#include "run/run_experiment.h"
#include "run/run_folder.h"

namespace localbatch {

namespace {

RequestedRun read_cell(const RunRequest& request, SweepCell cell) {
  Experiment experiment = read_experiment(Options(cell.experiment), request.cpu_has_bfloat16);
  std::filesystem::path folder = request.resumed_folder;
  if (folder.empty())
    folder = run_folder(request.output, experiment.name,
                        run_name(cell_name(cell.coordinates), request.settings),
                        resolved_yaml(experiment.resolved));
  return {std::move(cell.coordinates), std::move(experiment), std::move(folder)};
}

}  // namespace

std::vector<SweepCell> requested_cells(const RunRequest& request) {
  const Node file = read_experiment_file(request.file, request.settings);
  const std::vector<std::string> swept = swept_keys(file);
  for (const std::string& setting : request.settings) {
    const std::string key = setting.substr(0, setting.find('='));
    if (std::ranges::find(swept, key) != swept.end())
      fail_input("--set {}: the sweep of {} sets {} as well, expected another key, or --cell",
                 setting, request.file.string(), key);
  }
  return sweep_cells(file);
}

std::vector<RequestedRun> read_requests(const RunRequest& request) {
  std::vector<RequestedRun> runs;
  std::map<std::string, std::filesystem::path> folders;
  for (SweepCell& cell : requested_cells(request)) {
    RequestedRun run = read_cell(request, std::move(cell));
    // Cells with the same settings have one folder, whose name is the first one's.
    const std::string settings = resolved_yaml(run.experiment.resolved);
    run.folder = folders.try_emplace(what_decides_results(settings), run.folder).first->second;
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
  return read_cell(request, std::move(cells[number - 1]));
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
  const auto [coordinates, experiment, folder] = read_request(one);
  return {.workers = experiment.workers,
          .threads_per_worker = experiment.worker_threads(),
          .network = experiment.task->has_network(),
          .command = run_command_line(request),
          .output = folder,
          .may_write = !request.dry_run};
}

}  // namespace localbatch
