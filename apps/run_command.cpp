#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "cell_jobs.h"
#include "comm/agreement.h"
#include "comm/launch.h"
#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/stopwatch.h"
#include "dry_run.h"
#include "printers.h"
#include "run/prepared_run.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"
#include "run/run_sweep.h"
#include "stop_requests.h"

namespace localbatch {

namespace {

struct RunOptions {
  RunRequest request;
  std::string file, output = "results", resumed_folder, time_limit;
  int jobs = 1;          ///< cells at a time
  std::string progress;  ///< as it was given, or empty
  bool quiet = false;
  Shown shown = Shown::kUsual;
  std::optional<double> seconds;
  double stall_limit = Patience().seconds;
};

void declare_options(CommandLine& line, RunOptions& options) {
  RunRequest& request = options.request;
  line.positional("file", options.file);
  line.set_option(request.settings);
  line.default_option(
      "output", "DIR", options.output,
      "results go to DIR/<experiment>/<cell>; an unfinished run of the same settings that is there "
      "goes on from its checkpoint");
  line.option("cell", "N", request.cell,
              "of a file with a sweep, run this cell alone, the first one is 1; default: all that "
              "are unfinished, or in an array of Slurm the one of SLURM_ARRAY_TASK_ID");
  line.default_option("jobs", "K", options.jobs,
                      "cells of a sweep to run at a time, in processes that share the cores");
  line.flag("dry-run", request.dry_run,
            "say what would run, go on or be skipped, and what is wrong with it; write nothing");
  line.flag("force", request.force, "replace results that are there already");
  line.flag("resume", request.resume,
            "for job scripts: a run that has finished already is no mistake");
  line.flag("quiet", options.quiet, "print warnings and errors only");
  line.option(
      "progress", "KIND", options.progress,
      "what is printed on the way: evaluations; rounds, which is a line every five seconds "
      "as well, also in logs; or none. Default: evaluations, and where they are far apart a "
      "line a minute, or on a terminal one that is redrawn");
  line.option("resume-from", "DIR", options.resumed_folder,
              "go on with the unfinished run in this folder, whose settings must be the same");
  line.default_option("checkpoint-seconds", "S", request.checkpoints.every_seconds,
                      "time between checkpoints; 0: none by time");
  line.default_option("checkpoint-rounds", "K", request.checkpoints.every_rounds,
                      "rounds between checkpoints; 0: none by rounds");
  line.option("time-limit", "TIME", options.time_limit,
              "seconds, MINUTES:SECONDS or HOURS:MINUTES:SECONDS after which to stop behind a "
              "checkpoint; the end of a Slurm job is known");
  line.default_option(
      "stall-limit", "S", options.stall_limit,
      "seconds that ranks wait for one that does not come before they give up; 0: for ever");
}

Shown shown_by(const RunOptions& options) {
  constexpr std::array<std::pair<const char*, Shown>, 3> kKinds{
      {{"rounds", Shown::kRounds}, {"evaluations", Shown::kEvaluations}, {"none", Shown::kEnds}}};
  if (options.quiet) {
    for (const auto& [other, is_given] : {std::pair("--progress", !options.progress.empty()),
                                          std::pair("--dry-run", options.request.dry_run)})
      if (is_given) fail_input("run: --quiet: found with {}, expected one of these", other);
    return Shown::kNothing;
  }
  if (options.progress.empty()) return Shown::kUsual;
  std::vector<std::string> names;
  for (const auto& [name, shown] : kKinds) {
    if (options.progress == name) return shown;
    names.emplace_back(name);
  }
  fail_input("run: --progress: found '{}', allowed is {}", options.progress,
             allowed_names(options.progress, names));
}

/// The options of `run`; nothing when only help was asked for.
std::optional<RunOptions> parse_run(std::span<const std::string> arguments) {
  RunOptions options;
  RunRequest& request = options.request;
  CommandLine line("run");
  declare_options(line, options);
  if (!line.read(arguments,
                 "usage: localbatch run FILE [--set KEY=VALUE]... [--output DIR] [OPTIONS]\n"
                 "       mpirun -np RANKS localbatch run FILE ...\n"))
    return {};
  require_file("run", options.file);
  request.file = options.file;
  request.output = options.output;
  request.command_line.assign(arguments.begin(), arguments.end());
  request.command_line.insert(request.command_line.begin(), "run");
  request.resumed_folder = options.resumed_folder;
  if (request.force && !options.resumed_folder.empty())
    fail_input("run: --force: found with --resume-from, expected one of these");
  request.resume = request.resume || !options.resumed_folder.empty();
  check_is_not_negative("run", "checkpoint-seconds", request.checkpoints.every_seconds);
  check_is_not_negative("run", "checkpoint-rounds",
                        static_cast<double>(request.checkpoints.every_rounds));
  check_is_not_negative("run", "stall-limit", options.stall_limit);
  if (options.jobs < 1) fail_input("run: --jobs: found {}, expected at least 1", options.jobs);
  options.shown = shown_by(options);
  if (!options.time_limit.empty()) options.seconds = parse_duration(options.time_limit);
  return options;
}

/// Whether all cells of a sweep are to be run. In an array of Slurm each task has one of them.
bool wants_all_cells(RunRequest& request) {
  if (request.cell) return false;
  const std::size_t cells = requested_cells(request).size();
  if (cells == 1) return false;
  request.cell = number_in(launch_environment(), "SLURM_ARRAY_TASK_ID");
  if (request.cell && (*request.cell < 1 || static_cast<std::size_t>(*request.cell) > cells))
    fail_input("run: SLURM_ARRAY_TASK_ID: found {}, {} has the cells 1 to {}", *request.cell,
               request.file.string(), cells);
  if (!request.cell && !request.resumed_folder.empty())
    fail_input("run: --resume-from: found with a sweep, expected --cell as well");
  return !request.cell;
}

/// Runs the cells of a sweep one after the other.
ExitStatus run_all(const RunRequest& request, Shown shown, ProcessGroup& processes) {
  SweepPrinter printer(shown, request.force);
  SweepEvents events = printer.events();
  events.on_training_failure = ending_the_job(processes);
  events.on_cell = [print = std::move(events.on_cell)](const CellProgress& cell) {
    stop_at_once_until_asked();
    print(cell);
  };
  const SweepResult result = run_sweep(request, processes, events);
  // First: whoever starts a sweep again when it was stopped has to know it also after a failure,
  // which is recorded in the folder of its cell.
  if (result.stopped) return processes.rank() == 0 ? kStopped : kSuccess;
  if (result.failure) return exit_status_of(result.failure);
  if (processes.rank() != 0) return kSuccess;
  return result.diverged ? kDivergence : kSuccess;
}

/// The arguments of the process that runs a cell.
std::vector<std::string> arguments_of_cell(const RunOptions& options, const CellProgress& cell,
                                           double seconds_so_far) {
  const RunRequest& request = options.request;
  std::vector<std::string> arguments{"run", request.file.string()};
  const auto add = [&arguments](const char* option, std::string value) {
    arguments.insert(arguments.end(), {option, std::move(value)});
  };
  add("--cell", fmt::format("{}", cell.number));
  add("--output", request.output.string());
  for (const std::string& setting : request.settings) add("--set", setting);
  add("--checkpoint-seconds", fmt::format("{}", request.checkpoints.every_seconds));
  add("--checkpoint-rounds", fmt::format("{}", request.checkpoints.every_rounds));
  add("--stall-limit", fmt::format("{}", options.stall_limit));
  if (options.seconds)
    add("--time-limit",
        fmt::format("{:.0f}", std::floor(std::max(0.0, *options.seconds - seconds_so_far))));
  if (!options.progress.empty()) add("--progress", options.progress);
  if (options.quiet) arguments.emplace_back("--quiet");
  arguments.emplace_back(request.force ? "--force" : "--resume");
  return arguments;
}

/// A process that runs a cell sees neither what its neighbours will write nor what they will
/// allocate, so the first cell that can run stands for as many as run at a time.
void check_room_for_jobs(const RunOptions& options, const std::vector<CellProgress>& cells) {
  const int runs = std::min(options.jobs, static_cast<int>(cells.size()));
  RunRequest one = options.request;
  for (const CellProgress& cell : cells) {
    one.cell = cell.number;
    std::optional<PreparedRun> run;
    try {
      run = prepare_run(one, *single_process());
    } catch (const InputError&) {
      continue;  // its own process will say why
    }
    return check_room_for(one, *run, runs);
  }
}

/// Throws an InputError for options that do not go with `--jobs`.
void check_jobs(const RunOptions& options) {
  if (launcher(launch_environment()) != Launcher::kNone)
    fail_input("run: --jobs: found in a process of mpirun or srun, expected one of these");
  if (options.jobs > available_cores())
    fail_input("run: --jobs: found {}, allowed are at most as many as cores, {}", options.jobs,
               available_cores());
  if (options.request.cell || !options.request.resumed_folder.empty())
    fail_input("run: --jobs: found with {}, expected one of these",
               options.request.cell ? "--cell" : "--resume-from");
}

/// Runs several cells of a sweep at a time, each in a process of its own.
ExitStatus run_in_jobs(const RunOptions& options) {
  const std::vector<CellProgress> all = progress_of_cells(options.request);
  const std::vector<CellProgress> cells = cells_to_run(all, options.request.force);
  if (options.shown != Shown::kNothing) print_sum(all);
  check_room_for_jobs(options, cells);
  const double begin = monotonic_seconds();
  const CellJobs ended =
      run_cell_jobs(cells, options.jobs, options.shown, [&](const CellProgress& cell) {
        return arguments_of_cell(options, cell, monotonic_seconds() - begin);
      });
  if (ended.stopped) return kStopped;  // before a failure, as in run_all()
  for (const int status : ended.statuses)
    if (status != kSuccess && status != kDivergence && status != kStopped)
      return status == kInputFailure ? kInputFailure : kSystemFailure;
  const bool diverged = has_diverged_before(all, options.request.force) ||
                        std::ranges::find(ended.statuses, kDivergence) != ended.statuses.end();
  return diverged ? kDivergence : kSuccess;
}

}  // namespace

int run_command(std::span<const std::string> arguments) {
  std::optional<RunOptions> options = parse_run(arguments);
  if (!options) return kSuccess;
  catch_stop_signals();
  if (options->jobs > 1) {
    check_jobs(*options);
    if (!options->request.dry_run) return run_in_jobs(*options);
    check_room_for_jobs(*options,
                        cells_to_run(progress_of_cells(options->request), options->request.force));
  }
  TimeLimit time_limit(options->seconds);
  RunRequest& request = options->request;
  request.stop_requested = [&] { return time_limit.is_near() || stop_signal_came(); };
  return with_processes(start_processes(options->stall_limit), [&](ProcessGroup& processes) -> int {
    const bool all_cells =
        agree(processes, [&] { return options->jobs > 1 || wants_all_cells(request); });
    require_same({{"--cell", request.cell ? fmt::format("{}", *request.cell) : "none"},
                  {"--dry-run", request.dry_run ? "yes" : "no"},
                  {"--stall-limit", fmt::format("{}", options->stall_limit)}},
                 processes);
    if (request.dry_run) return dry_run(request, all_cells, processes);
    if (all_cells) return run_all(request, options->shown, processes);

    ProgressPrinter printer(options->shown, request.force);
    const RunEvents events = noting_failures(request, printer.events(), ending_the_job(processes));
    bool training = false;
    try {
      const RunResult result =
          run_experiment(request, processes, events, [&training] { training = true; });
      if (processes.rank() != 0) return kSuccess;
      printer.print_result(result);
      return exit_status_of(result.outcome);
    } catch (const std::exception& error) {
      end_failed_run(request, error, training, processes);
    }
  });
}

}  // namespace localbatch
