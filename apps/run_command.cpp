#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "experiment/run_experiment.h"
#include "progress_printer.h"
#include "stop_signals.h"
#include "time_limit.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

struct RunOptions {
  RunRequest request;
  std::optional<double> time_limit;
};

/// The options of `run`; nothing when only help was asked for.
std::optional<RunOptions> parse(std::span<const std::string> arguments) {
  RunOptions options;
  RunRequest& request = options.request;
  std::string file, output, resumed_folder, time_limit;
  po::options_description visible("options");
  auto add = visible.add_options();
  add("help,h", "print this text");
  add("set", po::value(&request.settings)->value_name("KEY=VALUE")->composing(),
      "change a key of the experiment file, such as batch_size_controller.eta=0.9; may be "
      "repeated");
  add("output", po::value(&output)->value_name("DIR")->default_value("results"),
      "results go to DIR/<experiment>/<cell>; an unfinished run of the same settings that is there "
      "goes on from its checkpoint");
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
  request.resume = request.resume || !resumed_folder.empty();
  if (!(request.checkpoints.every_seconds >= 0) || request.checkpoints.every_rounds < 0 ||
      !(request.patience >= 0))
    fail_input("run: found a negative number of seconds or rounds; see 'localbatch run --help'");
  if (!time_limit.empty()) options.time_limit = parse_duration(time_limit);
  return options;
}

[[noreturn]] void end_job(const std::exception& error, int rank) {
  fmt::print(stderr, "localbatch: rank {}: {}\n", rank, error.what());
  const bool is_mistake = dynamic_cast<const InputError*>(&error) != nullptr;
  abort_mpi_job(is_mistake ? kInputFailure : kSystemFailure);
}

/// Runs under MPI. A failure before training is known to all ranks, which end in good order; one
/// during training is known to one rank only, which ends the job. Only the rank that reports ends
/// with another status than 0: a launcher kills the others at the first such status, and with them
/// what they have not said yet.
int run(RunOptions options) {
  catch_stop_signals();
  TimeLimit time_limit(options.time_limit);
  options.request.stop_requested = [&] { return time_limit.is_near() || stop_signal_came(); };
  const std::unique_ptr<ProcessGroup> processes = mpi_processes();
  ProgressPrinter printer;
  bool training = false;
  RunEvents events = printer.events();
  if (processes->num_ranks() > 1)
    events.on_failure = [&](const std::exception_ptr& failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        end_job(error, processes->rank());
      }
    };
  try {
    const RunResult result =
        run_experiment(options.request, *processes, events, [&training] { training = true; });
    if (processes->rank() != 0) return kSuccess;
    printer.print_result(result);
    if (result.outcome == Outcome::kStopped) return kStopped;
    return result.outcome == Outcome::kDiverged ? kDivergence : kSuccess;
  } catch (const FailedElsewhere&) {
    return kSuccess;
  } catch (const std::exception& error) {
    if (!training || processes->num_ranks() == 1) throw;
    end_job(error, processes->rank());
  }
}

}  // namespace

int run_command(std::span<const std::string> arguments) {
  std::optional<RunOptions> options = parse(arguments);
  return options ? run(std::move(*options)) : kSuccess;
}

}  // namespace localbatch
