#pragma once

#include <csignal>
#include <optional>
#include <string>

namespace localbatch {

/// After this call SIGTERM, SIGINT and SIGUSR1 ask the program to stop; a second SIGINT ends it at
/// once. Until somebody asks for the first time whether one came, it is the signal itself that ends
/// the program, with kStopped: loading data may take minutes, and a first round hours.
void catch_stop_signals();

bool stop_signal_came();

/// Signals do so again, one that has come included, until the next time that somebody asks: another
/// run is to begin.
void stop_at_once_until_asked();

/// As long as this lives, the signals wait. They also wait in a process that is started meanwhile,
/// until it calls catch_stop_signals(): none ends it before it listens, or is lost.
class StopSignalsWait {
 public:
  StopSignalsWait();
  ~StopSignalsWait();
  StopSignalsWait(const StopSignalsWait&) = delete;
  StopSignalsWait& operator=(const StopSignalsWait&) = delete;

 private:
  sigset_t before_;
};

/// The seconds that --time-limit means: "90" (seconds), "30:00" or "2:30:00". Throws an InputError.
double parse_duration(const std::string& text);

/// Tells when there is no time left for another round.
class TimeLimit {
 public:
  /// `seconds` from now on, or the end of the Slurm job (SLURM_JOB_END_TIME), what comes first;
  /// without either there is no limit.
  explicit TimeLimit(std::optional<double> seconds);

  /// To be asked after every round: whether another one, twice as long as the longest so far, and a
  /// checkpoint would be too late.
  bool is_near();

 private:
  std::optional<double> end_, last_asked_;  ///< as monotonic_seconds() tells them
  double longest_round_ = 0;
};

}  // namespace localbatch
