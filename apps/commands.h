#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "comm/process_group.h"

namespace localbatch {

enum class Outcome;
struct RunRequest;

/// Exit statuses of the program; --help and the README list them.
enum ExitStatus : int {
  kSuccess = 0,
  kSystemFailure = 1,
  kInputFailure = 2,
  kDivergence = 3,
  kStopped = 75,  ///< EX_TEMPFAIL: start it again
};

/// kSuccess for FailedElsewhere: only the rank that reports a failure ends with another status, as
/// a launcher kills the others at the first such status, before they have printed what they have to
/// say.
ExitStatus exit_status_of(const std::exception& error);
ExitStatus exit_status_of(const std::exception_ptr& error);

ExitStatus exit_status_of(Outcome outcome);

// What the program prints goes through these functions, which write printable() lines: nothing that
// stands in a file or a name reaches a terminal as a control character. What cannot be written
// shows at the end of main.
void print_formatted(std::FILE* stream, fmt::string_view text, fmt::format_args arguments);

template <class... Arguments>
void print(std::FILE* stream, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  print_formatted(stream, text, fmt::make_format_args(arguments...));
}

template <class... Arguments>
void print(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  print_formatted(stdout, text, fmt::make_format_args(arguments...));
}

/// For a failure that the other ranks cannot know of: they may wait for this one.
[[noreturn]] void end_job(const std::exception& error, int rank);

/// What to do about a failure during training on one of several ranks: the others do not know of it
/// and may wait for this one, so it ends the job.
std::function<void(const std::exception&)> ending_the_job(const ProcessGroup& processes);

/// For the handler of a run's failure, which is noted in the folder of the run. One before training
/// is known to all ranks, which end in good order: it is thrown again. One during training is known
/// to one rank only, which ends the job.
[[noreturn]] void end_failed_run(const RunRequest& request, const std::exception& failure,
                                 bool training, const ProcessGroup& processes);

/// The processes that MPI connects, or this one alone when no launcher has started it; if MPI does
/// not start, or end, in `stall_limit` seconds, this process says so and ends. Signals that ask it
/// to stop wait until MPI has started: an mpirun whose rank leaves while it is being connected may
/// never end.
std::unique_ptr<ProcessGroup> start_processes(double stall_limit = Patience().seconds);

/// Returns what `body` does, or ends the job when another rank hangs meanwhile: then no collective
/// can follow, and so nothing in good order.
int with_processes(std::unique_ptr<ProcessGroup> processes,
                   const std::function<int(ProcessGroup&)>& body);

// One function per subcommand. `arguments` are the words behind the subcommand's name. Exceptions
// are for main, which reports them and ends with exit_status_of() them.
int run_command(std::span<const std::string> arguments);
int branch_command(std::span<const std::string> arguments);
int compare_command(std::span<const std::string> arguments);
int describe_command(std::span<const std::string> arguments);
int doctor_command(std::span<const std::string> arguments);
int generate_command(std::span<const std::string> arguments);
int selftest_command(std::span<const std::string> arguments);
int status_command(std::span<const std::string> arguments);
int plan_command(std::span<const std::string> arguments);
int plot_command(std::span<const std::string> arguments);
int report_command(std::span<const std::string> arguments);
int table_command(std::span<const std::string> arguments);
int bench_command(std::span<const std::string> arguments);

}  // namespace localbatch
