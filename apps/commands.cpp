#include "commands.h"

#include "comm/agreement.h"
#include "core/error.h"
#include "train/local_sgd.h"

namespace localbatch {

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

ExitStatus exit_status_of(Outcome outcome) {
  if (outcome == Outcome::kStopped) return kStopped;
  return outcome == Outcome::kDiverged ? kDivergence : kSuccess;
}

}  // namespace localbatch
