#include "cell_jobs.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>

#include "commands.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/stopwatch.h"
#include "printers.h"
#include "stop_requests.h"

namespace localbatch {

namespace {

/// A process that runs a cell.
struct Job {
  const CellProgress* cell = nullptr;
  int place = 0;  ///< 0 .. jobs - 1: which share of the cores
  double begin = monotonic_seconds();
};

/// Neighbouring cores, as many for every job as for the others.
std::vector<int> cores_of(const std::vector<int>& cores, int place, int jobs) {
  const std::size_t share = cores.size() / static_cast<std::size_t>(jobs);
  const auto first = cores.begin() + static_cast<std::ptrdiff_t>(share) * place;
  return {first, first + static_cast<std::ptrdiff_t>(share)};
}

/// In the process of a cell, where nothing may be allocated: other threads of its parent may have
/// been in the middle of that.
[[noreturn]] void become(char* const* arguments, const cpu_set_t& cores, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kStopped);  // the parent has died before that
  ::sched_setaffinity(0, sizeof(cores), &cores);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) ::dup2(nowhere, STDOUT_FILENO);
  ::execv("/proc/self/exe", arguments);
  ::_exit(kSystemFailure);
}

pid_t start(std::vector<std::string> arguments, const std::vector<int>& cores) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  const pid_t parent = ::getpid();
  const StopSignalsWait until_the_child_listens;
  const pid_t child = ::fork();
  if (child == 0) become(pointers.data(), set, parent);
  if (child < 0) fail_system("fork: {}", std::strerror(errno));
  return child;
}

std::string_view meaning_of(int status) {
  switch (status) {
    case kSuccess:
      return "finished";
    case kDivergence:
      return "diverged";
    case kStopped:
      return "stopped";
    default:
      return "failed";
  }
}

}  // namespace

CellJobs run_cell_jobs(
    const std::vector<CellProgress>& cells, int jobs,
    const std::function<std::vector<std::string>(const CellProgress&)>& arguments) {
  const std::vector<int> cores = allowed_cores();
  CellJobs result;
  std::map<pid_t, Job> running;
  std::vector<int> free_places;
  for (int place = jobs; place-- > 0;) free_places.push_back(place);
  std::size_t next = 0;
  bool passed_on = false;
  while (true) {
    result.stopped = result.stopped || stop_signal_came();
    if (result.stopped && !passed_on) {
      for (const auto& [process, job] : running) ::kill(process, SIGTERM);
      passed_on = true;
    }
    while (!result.stopped && next < cells.size() && !free_places.empty()) {
      const CellProgress& cell = cells[next++];
      const int place = free_places.back();
      free_places.pop_back();
      std::vector<std::string> all = arguments(cell);
      all.insert(all.begin(), "localbatch");
      running[start(std::move(all), cores_of(cores, place, jobs))] = {.cell = &cell,
                                                                      .place = place};
      print("{} begins\n", title_of(cell));
      std::fflush(stdout);
    }
    if (running.empty()) return result;
    int how = 0;
    // Looks now and then in place of waiting: a signal may come at any time.
    const pid_t process = ::waitpid(-1, &how, WNOHANG);
    const auto ended = running.find(process);
    if (ended == running.end()) {
      ::usleep(50'000);
      continue;
    }
    const int status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    const Job job = ended->second;
    running.erase(ended);
    free_places.push_back(job.place);
    result.stopped = result.stopped || status == kStopped;
    result.statuses.push_back(status);
    print("{} {} after {}\n", title_of(*job.cell), meaning_of(status),
          duration(monotonic_seconds() - job.begin));
    std::fflush(stdout);
  }
}

}  // namespace localbatch
