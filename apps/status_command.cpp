#include <filesystem>

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

}  // namespace

int status_command(std::span<const std::string> arguments) {
  RunRequest request;
  std::vector<std::string> sources;
  std::string output = "results";
  bool json = false;
  CommandLine line("status");
  line.positional("source", sources);
  line.set_option(request.settings);
  line.default_option("output", "DIR", output, "where the results of an experiment FILE go");
  line.flag("json", json, "print one JSON document in place of the tables");
  if (!line.read(
          arguments,
          "usage: localbatch status FILE|FOLDER... [--set KEY=VALUE]... [--output DIR]\n\n"
          "Says how far the cells of a FILE's sweep, or the runs in a FOLDER, are, from the\n"
          "files of their folders: running, or stopped by a signal, a limit or a failure.\n"))
    return kSuccess;
  require_file("status", sources.empty() ? "" : sources.front());
  request.output = output;
  request.cpu_has_bfloat16 = true;
  Json documents = Json::array();
  for (const std::string& source : sources) {
    std::error_code error;
    request.file = source;
    const std::vector<CellProgress> cells = std::filesystem::is_directory(source, error)
                                                ? progress_in(source)
                                                : progress_of_cells(request);
    if (json) {
      documents.push_back(json_of(source, cells));
      continue;
    }
    if (&source != &sources.front()) print("\n");
    print_cells(cells);
  }
  if (json) print_json({{"sources", std::move(documents)}});
  return kSuccess;
}

}  // namespace localbatch
