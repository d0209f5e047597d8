#include "cell_jobs.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <utility>

#include "commands.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/stopwatch.h"
#include "stop_requests.h"

namespace localbatch {

namespace {

/// A process that runs a cell.
struct Job {
  const CellProgress* cell = nullptr;
  int place = 0;               ///< 0 .. jobs - 1: which share of the cores
  int output = -1;             ///< what it prints can be read there; -1: nobody wants that
  std::string unprinted = {};  ///< the beginning of a line
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
[[noreturn]] void become(char* const* arguments, const cpu_set_t& cores, pid_t parent, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kStopped);  // the parent has died before that
  ::sched_setaffinity(0, sizeof(cores), &cores);
  if (output < 0) output = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (output >= 0) ::dup2(output, STDOUT_FILENO);
  ::signal(SIGPIPE, SIG_IGN);  // it writes its checkpoint also when nobody reads its lines any more
  ::execv("/proc/self/exe", arguments);
  ::_exit(kSystemFailure);
}

/// `output`: where it prints, or -1.
pid_t start(std::vector<std::string> arguments, const std::vector<int>& cores, int output) {
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
  if (child == 0) become(pointers.data(), set, parent, output);
  if (child < 0) fail_system("fork: {}", std::strerror(errno));
  return child;
}

/// Starts the process of a cell. Where its lines are wanted, they can be read without waiting.
std::pair<pid_t, Job> start_job(const CellProgress& cell, std::vector<std::string> arguments,
                                const std::vector<int>& cores, int place, bool wants_lines) {
  Job job{.cell = &cell, .place = place};
  std::array<int, 2> ends{-1, -1};
  if (wants_lines && ::pipe2(ends.data(), O_CLOEXEC) != 0)
    fail_system("pipe: {}", std::strerror(errno));
  job.output = ends[0];
  if (wants_lines) ::fcntl(job.output, F_SETFL, O_NONBLOCK);
  arguments.insert(arguments.begin(), "localbatch");
  const pid_t process = start(std::move(arguments), cores, ends[1]);
  if (wants_lines) ::close(ends[1]);
  return {process, std::move(job)};
}

/// Prints the lines that are complete, or with the end of the process what there is.
void pass_on_lines(Job& job, bool has_ended) {
  if (job.output < 0) return;
  std::array<char, 4096> bytes{};
  for (ssize_t count = 0; (count = ::read(job.output, bytes.data(), bytes.size())) > 0;)
    job.unprinted.append(bytes.data(), static_cast<std::size_t>(count));
  if (has_ended) ::close(job.output);
  if (has_ended && !job.unprinted.empty() && !job.unprinted.ends_with('\n')) job.unprinted += '\n';
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = job.unprinted.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    print("cell {}: {}\n", job.cell->number, job.unprinted.substr(begin, end - begin));
  job.unprinted.erase(0, begin);
  std::fflush(stdout);
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
    const std::vector<CellProgress>& cells, int jobs, Shown shown,
    const std::function<std::vector<std::string>(const CellProgress&)>& arguments) {
  const std::vector<int> cores = allowed_cores();
  CellJobs result;
  std::map<pid_t, Job> running;
  std::vector<int> free_places;
  for (int place = jobs; place-- > 0;) free_places.push_back(place);
  std::size_t next = 0;
  bool passed_on = false;
  const bool wants_lines = shown == Shown::kRounds || shown == Shown::kEvaluations;
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
      if (shown != Shown::kNothing) print("{} begins\n", title_of(cell));
      std::fflush(stdout);
      running.insert(
          start_job(cell, arguments(cell), cores_of(cores, place, jobs), place, wants_lines));
    }
    if (running.empty()) return result;
    for (auto& [process, job] : running) pass_on_lines(job, false);
    int how = 0;
    // Looks now and then in place of waiting: a signal may come at any time.
    const pid_t process = ::waitpid(-1, &how, WNOHANG);
    const auto ended = running.find(process);
    if (ended == running.end()) {
      ::usleep(50'000);
      continue;
    }
    const int status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    Job job = std::move(ended->second);
    pass_on_lines(job, true);
    running.erase(ended);
    free_places.push_back(job.place);
    result.stopped = result.stopped || status == kStopped;
    result.statuses.push_back(status);
    if (shown != Shown::kNothing)
      print("{} {} after {}\n", title_of(*job.cell), meaning_of(status),
            duration(monotonic_seconds() - job.begin));
    std::fflush(stdout);
  }
}

}  // namespace localbatch
