#include <filesystem>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
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

}  // namespace

int status_command(std::span<const std::string> arguments) {
  RunRequest request;
  std::vector<std::string> sources;
  std::string output = "results";
  CommandLine line("status");
  line.positional("source", sources);
  line.set_option(request.settings);
  line.default_option("output", "DIR", output, "where the results of an experiment FILE go");
  if (!line.read(
          arguments,
          "usage: localbatch status FILE|FOLDER... [--set KEY=VALUE]... [--output DIR]\n\n"
          "Says how far the cells of a FILE's sweep, or the runs in a FOLDER, are, from the\n"
          "files of their folders: running, or stopped by a signal, a limit or a failure.\n"))
    return kSuccess;
  require_file("status", sources.empty() ? "" : sources.front());
  request.output = output;
  request.cpu_has_bfloat16 = true;
  for (const std::string& source : sources) {
    std::error_code error;
    request.file = source;
    if (&source != &sources.front()) print("\n");
    print_cells(std::filesystem::is_directory(source, error) ? progress_in(source)
                                                             : progress_of_cells(request));
  }
  return kSuccess;
}

}  // namespace localbatch
