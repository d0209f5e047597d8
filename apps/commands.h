#pragma once

#include <span>
#include <string>

namespace localbatch {

/// Exit statuses of the program; --help and the README list them.
enum ExitStatus : int {
  kSuccess = 0,
  kSystemFailure = 1,
  kInputFailure = 2,
  kDivergence = 3,
  kStopped = 75,  ///< EX_TEMPFAIL: start it again
};

// One function per subcommand. `arguments` are what follows the subcommand's name; what they throw
// is an InputError or a SystemError, or anything else that main reports as a failure of the world.
int run_command(std::span<const std::string> arguments);
int describe_command(std::span<const std::string> arguments);
int doctor_command(std::span<const std::string> arguments);
int status_command(std::span<const std::string> arguments);
int plan_command(std::span<const std::string> arguments);
int plot_command(std::span<const std::string> arguments);
int report_command(std::span<const std::string> arguments);
int table_command(std::span<const std::string> arguments);
int bench_command(std::span<const std::string> arguments);

}  // namespace localbatch
