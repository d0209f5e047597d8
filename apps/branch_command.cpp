#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "comm/agreement.h"
#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "printers.h"
#include "run/branches.h"
#include "run/run_experiment.h"
#include "run/run_folder.h"
#include "run/run_sweep.h"
#include "stop_requests.h"

namespace localbatch {

namespace {

struct BranchOptions {
  std::string run;
  std::vector<std::string> settings;
  bool quiet = false;
  CheckpointSchedule checkpoints = {};
  double stall_limit = Patience().seconds;
};

std::optional<BranchOptions> parse_branch(std::span<const std::string> arguments) {
  BranchOptions options;
  CommandLine line("branch");
  line.positional("run", options.run);
  line.set_option(options.settings);
  line.flag("quiet", options.quiet, "print warnings and errors only");
  line.default_option("checkpoint-seconds", "S", options.checkpoints.every_seconds,
                      "time between checkpoints; 0: none by time");
  line.default_option(
      "stall-limit", "S", options.stall_limit,
      "seconds that ranks wait for one that does not come before they give up; 0: for ever");
  if (!line.read(
          arguments,
          "usage: localbatch branch RUN [--set branches.KEY=VALUE]... [OPTIONS]\n"
          "       mpirun -np RANKS localbatch branch RUN ...\n\n"
          "Branches a run at the checkpoints that it kept, as the part 'branches' of its\n"
          "experiment or of --set says: every branch goes on with a constant local batch of\n"
          "its own. Writes branches.csv and critical_batch_sizes.csv into RUN, the folder of\n"
          "the run, and the branches themselves below it; those that are there already are\n"
          "not run again.\n"))
    return {};
  if (options.run.empty())
    fail_input("branch: the folder of a run is missing; see 'localbatch branch --help'");
  check_is_not_negative("branch", "checkpoint-seconds", options.checkpoints.every_seconds);
  check_is_not_negative("branch", "stall-limit", options.stall_limit);
  return options;
}

/// What the run's own settings, with those of the command line, say about branches.
BranchPlan plan_of(const BranchOptions& options) {
  const std::filesystem::path file = std::filesystem::path(options.run) / "experiment.yaml";
  if (!is_there(file)) fail_input("{}: is no run: it has no experiment.yaml", options.run);
  for (const std::string& setting : options.settings)
    if (!setting.starts_with("branches.") && !setting.starts_with("branches="))
      fail_input("branch: --set: found '{}', expected a key of branches: all else is as in the run",
                 setting);
  const Node node = read_experiment_file(file, options.settings);
  const Experiment experiment = read_experiment(Options(node));
  if (experiment.branch)
    fail_input("{}: is a branch itself, expected the run that it is a branch of", options.run);
  if (!experiment.branches)
    fail_input(
        "{}: says nothing about branches, expected e.g. --set 'branches={{at: [100000], "
        "local_batch_sizes: [64, 128, 256], samples: 50000}}'",
        file.string());
  const BranchPlan& plan = *experiment.branches;
  if (plan.at.empty() || plan.local_batch_sizes.empty())
    fail_input("{}: branches.{}: found an empty list, expected at least one number", file.string(),
               plan.at.empty() ? "at" : "local_batch_sizes");
  return plan;
}

/// The branches that are asked for, when all of them can be made.
std::vector<Branch> checked_branches(const BranchOptions& options, const BranchPlan& plan,
                                     ProcessGroup& processes) {
  std::vector<Branch> branches = branches_of(plan);
  agree(processes, [&] {
    if (processes.rank() == 0) check_branches(options.run, branches);
    return true;
  });
  return branches;
}

/// False: it was asked to stop.
bool run_branch(const BranchOptions& options, const Branch& branch, ProcessGroup& processes) {
  const bool is_new = agree(
      processes, [&] { return processes.rank() == 0 && prepare_branch(options.run, branch); });
  RunRequest request = branch_request(options.run, branch);
  request.command_line = {"branch", options.run};
  request.checkpoints = options.checkpoints;
  request.stop_requested = stop_signal_came;
  ProgressPrinter printer(options.quiet ? Shown::kNothing : Shown::kEnds);
  const RunEvents events = noting_failures(request, printer.events(), ending_the_job(processes));
  bool training = false;
  try {
    const RunResult result =
        run_experiment(request, processes, events, [&training] { training = true; });
    if (processes.rank() == 0 && !result.had_finished) printer.print_result(result);
    return result.had_finished || result.outcome != Outcome::kStopped;
  } catch (const std::exception& error) {
    if (is_new && dynamic_cast<const InputError*>(&error) != nullptr)
      discard_branch(options.run, branch);
    end_failed_run(request, error, training, processes);
  }
}

void print_critical(const BranchPlan& plan, std::span<const CriticalBatchSize> critical) {
  print("\nlargest local batch whose {} loss is at most {} above that of the smallest:\n",
        plan.loss == BranchLoss::kTrain ? "training" : "test", plan.tolerance);
  for (const CriticalBatchSize& point : critical) {
    if (point.repeats == 0) {
      print(
          "  after {:>10} samples       -  (no repeat has all sizes that were tried, and a loss of "
          "the smallest)\n",
          point.at);
      continue;
    }
    print("  after {:>10} samples  {:>6}  (lowest {}, highest {} of {}){}\n", point.at,
          point.local_batch_size, point.lowest, point.highest, counted(point.repeats, "repeat"),
          point.local_batch_size == point.largest_tried ? ", the largest that was tried" : "");
  }
}

}  // namespace

int branch_command(std::span<const std::string> arguments) {
  const std::optional<BranchOptions> options = parse_branch(arguments);
  if (!options) return kSuccess;
  catch_stop_signals();
  return with_processes(start_processes(options->stall_limit), [&](ProcessGroup& processes) -> int {
    const BranchPlan plan = agree(processes, [&] { return plan_of(*options); });
    const std::unique_ptr<FolderLock> lock = agree(processes, [&] {
      return processes.rank() == 0 ? std::make_unique<FolderLock>(options->run) : nullptr;
    });
    for (const Branch& branch : checked_branches(*options, plan, processes))
      if (!run_branch(*options, branch, processes)) return kStopped;
    if (processes.rank() != 0) return kSuccess;
    const std::vector<CriticalBatchSize> critical = tabulate_branches(options->run, plan);
    if (!options->quiet) print_critical(plan, critical);
    return kSuccess;
  });
}

}  // namespace localbatch
