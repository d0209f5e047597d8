#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "json_documents.h"
#include "printers.h"
#include "report/finished_run.h"
#include "run/run_experiment.h"
#include "run/run_sweep.h"

namespace localbatch {

namespace {

/// The runs in a folder. Curves tell that a run has ended whose summary was not published.
std::vector<CellProgress> progress_in(const std::filesystem::path& source) {
  std::vector<CellProgress> runs;
  for (const std::filesystem::path& folder : folders_of_runs(source)) {
    CellProgress& run = runs.emplace_back(progress_of_run(folder));
    const RunStatus by_curves = read_finished_run(folder, folder.string()).status;
    if (has_ended(by_curves)) run.status = by_curves;
  }
  if (runs.empty())
    fail_input("{}: holds no run, expected folders with an experiment.yaml", source.string());
  return runs;
}

/// The cells of an experiment file, or the runs in a folder.
std::vector<CellProgress> cells_of(RunRequest request, const std::string& source) {
  std::error_code error;
  request.file = source;
  return std::filesystem::is_directory(source, error) ? progress_in(source)
                                                      : progress_of_cells(request);
}

void print_documents(const RunRequest& request, const std::vector<std::string>& sources) {
  Json documents = Json::array();
  for (const std::string& source : sources)
    documents.push_back(json_of(source, cells_of(request, source)));
  print_json({{"sources", std::move(documents)}});
}

/// Whether nothing more will come of a cell that is left to itself, or to the process that has it.
bool is_over(const CellProgress& cell) {
  return has_ended(cell.status) ||
         (cell.status == RunStatus::kFailed && !cell.in_use.value_or(false));
}

/// Returns whether all cells and runs are over.
bool print_progress(const RunRequest& request, const std::vector<std::string>& sources) {
  bool all_over = true;
  for (const std::string& source : sources) {
    if (&source != &sources.front()) print("\n");
    const std::vector<CellProgress> cells = cells_of(request, source);
    print_cells(cells);
    all_over = all_over && std::ranges::all_of(cells, is_over);
  }
  std::fflush(stdout);
  return all_over;
}

/// Until all are over, or a signal ends this process.
void watch(const RunRequest& request, const std::vector<std::string>& sources, double seconds) {
  constexpr double kMost = 86400;
  if (!(seconds > 0 && seconds <= kMost))
    fail_input("status: --watch: found {}, allowed is more than 0 and up to {} seconds", seconds,
               kMost);
  bool has_failed = true;
  for (bool is_first = true;; is_first = false) {
    begin_picture(is_first);
    try {
      if (print_progress(request, sources)) return;
      has_failed = false;
    } catch (const InputError&) {
      // A run that begins at this moment may have written half of a file; a mistake stays.
      if (std::exchange(has_failed, true)) throw;
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }
}

}  // namespace

int status_command(std::span<const std::string> arguments) {
  RunRequest request;
  std::vector<std::string> sources;
  std::string output = "results";
  bool json = false;
  std::optional<double> seconds;
  CommandLine line("status");
  line.positional("source", sources);
  line.set_option(request.settings);
  line.default_option("output", "DIR", output, "where the results of an experiment FILE go");
  line.flag("json", json, "print one JSON document in place of the tables");
  line.option("watch", "SECONDS", seconds, "look again so often, until all have ended");
  if (!line.read(
          arguments,
          "usage: localbatch status FILE|FOLDER... [--set KEY=VALUE]... [--output DIR] "
          "[--watch SECONDS]\n\n"
          "Says how far the cells of a FILE's sweep, or the runs in a FOLDER, are, from the\n"
          "files of their folders: running, or stopped by a signal, a limit or a failure.\n"))
    return kSuccess;
  require_file("status", sources.empty() ? "" : sources.front());
  check_settings_change_a_file("status", request.settings, sources);
  request.output = output;
  request.cpu_has_bfloat16 = true;
  if (json && seconds) fail_input("status: --watch: found with --json, expected one of these");
  if (json)
    print_documents(request, sources);
  else if (seconds)
    watch(request, sources, *seconds);
  else
    print_progress(request, sources);
  return kSuccess;
}

}  // namespace localbatch
