#include "commands.h"

#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "comm/agreement.h"
#include "comm/launch.h"
#include "core/error.h"
#include "core/text.h"
#include "run/run_sweep.h"
#include "stop_requests.h"
#include "train/local_sgd.h"

namespace localbatch {

void print_formatted(std::FILE* stream, fmt::string_view text, fmt::format_args arguments) {
  const std::string shown = printable(fmt::vformat(text, arguments), "\n");
  std::fwrite(shown.data(), 1, shown.size(), stream);
}

ExitStatus exit_status_of(const std::exception& error) {
  if (dynamic_cast<const FailedElsewhere*>(&error) != nullptr) return kSuccess;
  return dynamic_cast<const InputError*>(&error) != nullptr ? kInputFailure : kSystemFailure;
}

ExitStatus exit_status_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& failure) {
    return exit_status_of(failure);
  }
}

void end_job(const std::exception& error, int rank) {
  print(stderr, "localbatch: rank {}: {}\n", rank, error.what());
  // A rank that is missed may itself wait for the one that hangs: all say whom they miss.
  constexpr std::chrono::seconds kForOthersToSpeak{3};
  if (dynamic_cast<const Stalled*>(&error) != nullptr)
    std::this_thread::sleep_for(kForOthersToSpeak);
  abort_mpi_job(exit_status_of(error));
}

std::function<void(const std::exception&)> ending_the_job(const ProcessGroup& processes) {
  if (processes.num_ranks() == 1) return {};
  return [rank = processes.rank()](const std::exception& failure) { end_job(failure, rank); };
}

void end_failed_run(const RunRequest& request, const std::exception& failure, bool training,
                    const ProcessGroup& processes) {
  note_failure(request, failure);
  if (!training || processes.num_ranks() == 1) throw;
  end_job(failure, processes.rank());
}

std::unique_ptr<ProcessGroup> start_processes(double stall_limit) {
  if (!may_have_been_launched(whole_environment())) return single_process();
  const StopSignalsWait until_mpi_has_started;
  return mpi_processes({.seconds = stall_limit, .give_up = [](const std::string& why) {
                          print(stderr, "localbatch: {}\n", why);
                          std::_Exit(kSystemFailure);
                        }});
}

int with_processes(std::unique_ptr<ProcessGroup> processes,
                   const std::function<int(ProcessGroup&)>& body) {
  try {
    return body(*processes);
  } catch (const Stalled& error) {
    end_job(error, processes->rank());
  }
}

ExitStatus exit_status_of(Outcome outcome) {
  if (outcome == Outcome::kStopped) return kStopped;
  return outcome == Outcome::kDiverged ? kDivergence : kSuccess;
}

}  // namespace localbatch
