#pragma once

#include <exception>

namespace localbatch {

enum class Outcome;

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

}  // namespace localbatch
