#include "stop_signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace localbatch {

namespace {

// A signal handler has nothing else to write to.
std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int signal) {
  constexpr int kEndedBySignal = 128;
  if (signal == SIGINT && stop_requested) ::_exit(kEndedBySignal + SIGINT);
  stop_requested = true;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) ::sigaction(signal, &action, nullptr);
}

bool stop_signal_came() { return stop_requested; }

}  // namespace localbatch
