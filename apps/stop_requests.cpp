#include "stop_requests.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "comm/launch.h"
#include "commands.h"
#include "core/error.h"
#include "core/stopwatch.h"

namespace localbatch {

namespace {

// A signal handler has nothing else to write to.
std::atomic<bool> stop_requested = false, interrupted = false, somebody_asks = false;
// Else a launcher says enough about the processes that it ends.
std::atomic<bool> is_alone = true;
static_assert(std::atomic<bool>::is_always_lock_free);

/// There is nothing to save: everything that is on the disk is in order at any moment. No call that
/// a signal handler must not make.
[[noreturn]] void leave() {
  constexpr std::string_view kWhy =
      "stopped before the first round has ended; the same command starts there again\n";
  if (is_alone) {
    [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, kWhy.data(), kWhy.size());
  }
  ::_exit(kStopped);
}

void on_signal(int signal) {
  constexpr int kEndedBySignal = 128;
  if (!somebody_asks) leave();
  // A SIGINT of the terminal's may come together with the SIGTERM that a sweep passes on to a cell.
  if (signal == SIGINT && interrupted.exchange(true)) ::_exit(kEndedBySignal + SIGINT);
  stop_requested = true;
}

constexpr std::array kStopSignals{SIGTERM, SIGINT, SIGUSR1};

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : kStopSignals) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void catch_stop_signals() {
  is_alone = launcher(launch_environment()) == Launcher::kNone;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : kStopSignals) ::sigaction(signal, &action, nullptr);
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

StopSignalsWait::StopSignalsWait() {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

StopSignalsWait::~StopSignalsWait() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool stop_signal_came() {
  somebody_asks = true;
  return stop_requested;
}

void stop_at_once_until_asked() {
  somebody_asks = false;
  if (stop_requested) leave();
}

namespace {

constexpr double kForCheckpoint = 10;  // seconds

/// Seconds until the Slurm job ends.
std::optional<double> slurm_time_left() {
  const char* const text = std::getenv("SLURM_JOB_END_TIME");
  if (text == nullptr) return {};
  const std::string_view digits(text);
  std::int64_t end = 0;
  const auto [rest, error] = std::from_chars(digits.begin(), digits.end(), end);
  if (error != std::errc() || rest != digits.end()) return {};
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(end) - now.count();
}

}  // namespace

double parse_duration(const std::string& text) {
  double seconds = 0;
  int parts = 0;
  std::string_view rest = text;
  while (true) {
    const std::string_view part = rest.substr(0, rest.find(':'));
    int value = 0;
    const auto [end, error] = std::from_chars(part.begin(), part.end(), value);
    if (error != std::errc() || end != part.end() || value < 0 || ++parts > 3)
      fail_input(
          "--time-limit: found '{}', expected seconds, MINUTES:SECONDS or HOURS:MINUTES:SECONDS",
          text);
    seconds = seconds * 60 + value;
    if (part.size() == rest.size()) return seconds;
    rest.remove_prefix(part.size() + 1);
  }
}

TimeLimit::TimeLimit(std::optional<double> seconds) {
  const std::optional<double> of_job = slurm_time_left();
  if (of_job) seconds = std::min(*of_job, seconds.value_or(*of_job));
  if (seconds) end_ = monotonic_seconds() + *seconds;
}

bool TimeLimit::is_near() {
  const double now = monotonic_seconds();
  if (last_asked_) longest_round_ = std::max(longest_round_, now - *last_asked_);
  last_asked_ = now;
  return end_ && now + 2 * longest_round_ + kForCheckpoint > *end_;
}

}  // namespace localbatch
