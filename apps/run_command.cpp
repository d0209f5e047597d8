#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>

#include "commands.h"
#include "core/error.h"
#include "experiment/run_experiment.h"
#include "progress_printer.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

/// The options of `run`; nothing when only help was asked for.
std::optional<RunRequest> parse(std::span<const std::string> arguments) {
  RunRequest request;
  std::string file, output;
  po::options_description visible("options");
  visible.add_options()              //
      ("help,h", "print this text")  //
      ("set", po::value(&request.settings)->value_name("KEY=VALUE")->composing(),
       "change a key of the experiment file, such as batch_size_controller.eta=0.9; may be "
       "repeated")("output", po::value(&output)->value_name("DIR")->default_value("results"),
                   "results go to DIR/<experiment>/<cell>")(
          "force", po::bool_switch(&request.force), "replace results that are there already");
  po::options_description all;
  all.add(visible).add_options()("file", po::value(&file));
  po::positional_options_description positional;
  positional.add("file", 1);

  po::variables_map values;
  try {
    po::store(po::command_line_parser({arguments.begin(), arguments.end()})
                  .options(all)
                  .positional(positional)
                  .run(),
              values);
    po::notify(values);
  } catch (const po::error& error) {
    fail_input("run: {}; see 'localbatch run --help'", error.what());
  }
  if (values.count("help") > 0) {
    std::cout << "usage: localbatch run FILE [--set KEY=VALUE]... [--output DIR] [--force]\n"
              << "       mpirun -np RANKS localbatch run FILE ...\n\n"
              << visible << std::flush;
    return {};
  }
  if (file.empty()) fail_input("run: an experiment file is missing; see 'localbatch run --help'");
  request.file = file;
  request.output = output;
  request.command_line.assign(arguments.begin(), arguments.end());
  request.command_line.insert(request.command_line.begin(), "run");
  return request;
}

/// Runs under MPI. A failure before training is known to all ranks, which end in good order; one
/// during training is known to one rank only, which ends the job. Only the rank that reports ends
/// with another status than 0: a launcher kills the others at the first such status, and with them
/// what they have not said yet.
int run(const RunRequest& request) {
  const std::unique_ptr<ProcessGroup> processes = mpi_processes();
  ProgressPrinter printer;
  bool training = false;
  RunEvents events = printer.events();
  try {
    const RunResult result =
        run_experiment(request, *processes, events, [&training] { training = true; });
    if (processes->rank() != 0) return kSuccess;
    printer.print_result(result);
    return result.outcome == Outcome::kDiverged ? kDivergence : kSuccess;
  } catch (const FailedElsewhere&) {
    return kSuccess;
  } catch (const std::exception& error) {
    if (!training || processes->num_ranks() == 1) throw;
    fmt::print(stderr, "localbatch: rank {}: {}\n", processes->rank(), error.what());
    abort_mpi_job(kSystemFailure);
  }
}

}  // namespace

int run_command(std::span<const std::string> arguments) {
  const std::optional<RunRequest> request = parse(arguments);
  return request ? run(*request) : kSuccess;
}

}  // namespace localbatch
