#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace localbatch {

/// After this call SIGTERM, SIGINT and SIGUSR1 ask the program to stop at the next opportunity; a
/// second SIGINT ends it at once.
void catch_stop_signals();

bool stop_signal_came();

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
  using Clock = std::chrono::steady_clock;
  /// In double, as Clock's own numbers end after three centuries and what a person writes does not.
  using Time = std::chrono::time_point<Clock, std::chrono::duration<double>>;

  std::optional<Time> end_;
  std::optional<Clock::time_point> last_asked_;
  Clock::duration longest_round_{};
};

}  // namespace localbatch
