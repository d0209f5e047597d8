#pragma once

#include <span>
#include <string>

#include "exit_status.h"

namespace localbatch {

// One function per subcommand. `arguments` are the words behind the subcommand's name. Exceptions
// are for main, which reports them and ends with exit_status_of() them.
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
