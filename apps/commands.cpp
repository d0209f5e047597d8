#include "commands.h"

#include "comm/agreement.h"
#include "core/error.h"
#include "core/text.h"
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

ExitStatus exit_status_of(Outcome outcome) {
  if (outcome == Outcome::kStopped) return kStopped;
  return outcome == Outcome::kDiverged ? kDivergence : kSuccess;
}

}  // namespace localbatch
