#include <fmt/core.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "cell_jobs.h"
#include "comm/agreement.h"
#include "comm/launch.h"
#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/machine.h"
#include "printers.h"
#include "run/run_sweep.h"
#include "stop_requests.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

struct RunOptions {
  RunRequest request;
  int jobs = 1;  ///< cells at a time
  std::optional<double> time_limit;
};

/// The options of `run`; nothing when only help was asked for.
std::optional<RunOptions> parse(std::span<const std::string> arguments) {
  RunOptions options;
  RunRequest& request = options.request;
  std::string file, output, resumed_folder, time_limit;
  int cell = 0;
  po::options_description visible("options");
  auto add = visible.add_options();
  add("help,h", "print this text");
  add("set", po::value(&request.settings)->value_name("KEY=VALUE")->composing(),
      "change a key of the experiment file, such as batch_size_controller.eta=0.9; may be "
      "repeated");
  add("output", po::value(&output)->value_name("DIR")->default_value("results"),
      "results go to DIR/<experiment>/<cell>; an unfinished run of the same settings that is there "
      "goes on from its checkpoint");
  add("cell", po::value(&cell)->value_name("N"),
      "of a file with a sweep, run this cell alone, the first one is 1; default: all that are "
      "unfinished, or in an array of Slurm the one of SLURM_ARRAY_TASK_ID");
  add("jobs", po::value(&options.jobs)->value_name("K")->default_value(1),
      "cells of a sweep to run at a time, in processes that share the cores");
  add("force", po::bool_switch(&request.force), "replace results that are there already");
  add("resume", po::bool_switch(&request.resume),
      "for job scripts: a run that has finished already is no mistake");
  add("resume-from", po::value(&resumed_folder)->value_name("DIR"),
      "go on with the unfinished run in this folder, whose settings must be the same");
  add("checkpoint-seconds",
      po::value(&request.checkpoints.every_seconds)->value_name("S")->default_value(600),
      "time between checkpoints; 0: none by time");
  add("checkpoint-rounds",
      po::value(&request.checkpoints.every_rounds)->value_name("K")->default_value(0),
      "rounds between checkpoints; 0: none by rounds");
  add("time-limit", po::value(&time_limit)->value_name("TIME"),
      "seconds, MINUTES:SECONDS or HOURS:MINUTES:SECONDS after which to stop behind a checkpoint; "
      "the end of a Slurm job is known");
  add("stall-limit", po::value(&request.patience)->value_name("S")->default_value(1800),
      "seconds that ranks wait for one that does not come before they give up; 0: for ever");
  const po::variables_map values =
      read_command_line("run", visible, {.name = "file", .value = po::value(&file)}, arguments);
  if (values.count("help") > 0) {
    std::cout << "usage: localbatch run FILE [--set KEY=VALUE]... [--output DIR] [OPTIONS]\n"
              << "       mpirun -np RANKS localbatch run FILE ...\n\n"
              << visible << std::flush;
    return {};
  }
  if (file.empty()) fail_input("run: an experiment file is missing; see 'localbatch run --help'");
  request.file = file;
  request.output = output;
  request.command_line.assign(arguments.begin(), arguments.end());
  request.command_line.insert(request.command_line.begin(), "run");
  request.resumed_folder = resumed_folder;
  if (values.count("cell") > 0) request.cell = cell;
  request.resume = request.resume || !resumed_folder.empty();
  if (!(request.checkpoints.every_seconds >= 0) || request.checkpoints.every_rounds < 0 ||
      !(request.patience >= 0))
    fail_input("run: found a negative number of seconds or rounds; see 'localbatch run --help'");
  if (options.jobs < 1) fail_input("run: --jobs: found {}, expected at least 1", options.jobs);
  if (!time_limit.empty()) options.time_limit = parse_duration(time_limit);
  return options;
}

[[noreturn]] void end_job(const std::exception& error, int rank) {
  fmt::print(stderr, "localbatch: rank {}: {}\n", rank, error.what());
  const bool is_mistake = dynamic_cast<const InputError*>(&error) != nullptr;
  abort_mpi_job(is_mistake ? kInputFailure : kSystemFailure);
}

/// Failures of a run with several ranks, of which the others may know nothing.
std::function<void(std::exception_ptr)> ending_the_job(const ProcessGroup& processes) {
  if (processes.num_ranks() == 1) return {};
  return [&processes](const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      end_job(error, processes.rank());
    }
  };
}

/// Runs under MPI. A failure before training is known to all ranks, which end in good order; one
/// during training is known to one rank only, which ends the job. Only the rank that reports ends
/// with another status than 0: a launcher kills the others at the first such status, and with them
/// what they have not said yet.
int run_one(const RunRequest& request, ProcessGroup& processes) {
  ProgressPrinter printer;
  RunEvents events = printer.events();
  events.on_failure = ending_the_job(processes);
  bool training = false;
  try {
    const RunResult result = run_cell(request, processes, events, [&training] { training = true; });
    if (processes.rank() != 0) return kSuccess;
    printer.print_result(result);
    if (result.outcome == Outcome::kStopped) return kStopped;
    return result.outcome == Outcome::kDiverged ? kDivergence : kSuccess;
  } catch (const FailedElsewhere&) {
    throw;
  } catch (const std::exception& error) {
    if (!training || processes.num_ranks() == 1) throw;
    end_job(error, processes.rank());
  }
}

int status_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const InputError&) {
    return kInputFailure;
  } catch (const std::exception&) {
    return kSystemFailure;
  }
}

int run_all(const RunRequest& request, ProcessGroup& processes) {
  SweepPrinter printer;
  SweepEvents events = printer.events();
  events.run.on_failure = ending_the_job(processes);
  const SweepResult result = run_sweep(request, processes, events);
  if (result.failure) return status_of(result.failure);
  if (processes.rank() != 0) return kSuccess;
  if (result.stopped) return kStopped;
  return result.diverged ? kDivergence : kSuccess;
}

/// Whether all cells of a sweep are to be run. In an array of Slurm each task has one of them.
bool wants_all_cells(RunRequest& request) {
  if (request.cell || requested_cells(request).size() == 1) return false;
  request.cell = number_in(launch_environment(), "SLURM_ARRAY_TASK_ID");
  if (!request.cell && !request.resumed_folder.empty())
    fail_input("run: --resume-from: found with a sweep, expected --cell as well");
  return !request.cell;
}

/// What the process of a cell gets of the command line.
std::vector<std::string> arguments_of_cell(const RunOptions& options, const CellStatus& cell,
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
  add("--stall-limit", fmt::format("{}", request.patience));
  if (options.time_limit)
    add("--time-limit",
        fmt::format("{:.0f}", std::floor(std::max(0.0, *options.time_limit - seconds_so_far))));
  arguments.emplace_back(request.force ? "--force" : "--resume");
  return arguments;
}

int run_in_jobs(const RunOptions& options) {
  if (launcher(launch_environment()) != Launcher::kNone)
    fail_input("run: --jobs: found in a process of mpirun or srun, expected one of these");
  if (options.jobs > available_cores())
    fail_input("run: --jobs: found {}, allowed are at most as many as cores, {}", options.jobs,
               available_cores());
  if (options.request.cell || !options.request.resumed_folder.empty())
    fail_input("run: --jobs: found with {}, expected one of these",
               options.request.cell ? "--cell" : "--resume-from");
  const std::vector<CellStatus> all = status_of_cells(options.request);
  print_sum(all);
  const auto begin = std::chrono::steady_clock::now();
  const CellJobs ended = run_cell_jobs(
      cells_to_run(all, options.request.force), options.jobs, [&](const CellStatus& cell) {
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
        return arguments_of_cell(options, cell, passed.count());
      });
  for (const int status : ended.statuses)
    if (status != kSuccess && status != kDivergence && status != kStopped)
      return status == kInputFailure ? kInputFailure : kSystemFailure;
  if (ended.stopped) return kStopped;
  const bool diverged =
      std::ranges::find(ended.statuses, kDivergence) != ended.statuses.end() ||
      std::ranges::find(all, CellState::kDiverged, &CellStatus::state) != all.end();
  return diverged ? kDivergence : kSuccess;
}

int run(RunOptions options) {
  catch_stop_signals();
  if (options.jobs > 1) return run_in_jobs(options);
  TimeLimit time_limit(options.time_limit);
  RunRequest& request = options.request;
  request.stop_requested = [&] { return time_limit.is_near() || stop_signal_came(); };
  const std::unique_ptr<ProcessGroup> processes = mpi_processes();
  try {
    const bool all = agree(*processes, [&] { return wants_all_cells(request); });
    return all ? run_all(request, *processes) : run_one(request, *processes);
  } catch (const FailedElsewhere&) {
    return kSuccess;
  }
}

}  // namespace

int run_command(std::span<const std::string> arguments) {
  std::optional<RunOptions> options = parse(arguments);
  return options ? run(std::move(*options)) : kSuccess;
}

}  // namespace localbatch
