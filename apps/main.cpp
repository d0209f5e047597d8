#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "comm/launch.h"
#include "commands.h"
#include "completions.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/text.h"
#include "manual.h"

namespace localbatch {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(std::span<const std::string>);
  bool on_all_ranks = false;  ///< of mpirun; what the others say, all ranks would say
};

constexpr std::array<Command, 13> kCommands{{
    {"run", "train what an experiment file says and write its curves", run_command, true},
    {"branch", "how large a local batch can be: goes on from a run's checkpoints with several",
     branch_command, true},
    {"describe", "parts of experiment files with their keys, columns of curves, a file's network",
     describe_command},
    {"status", "how far the cells of a sweep are, and the time left", status_command},
    {"compare", "two runs: settings that differ, the first difference of curves, final figures",
     compare_command},
    {"table", "a table of finished runs: Markdown, LaTeX, CSV", table_command},
    {"plot", "curves of finished runs, drawn by gnuplot", plot_command},
    {"report", "one HTML page with table, curves, settings and machines of runs", report_command},
    {"generate", "what the language model of a finished run writes behind a prompt",
     generate_command},
    {"doctor", "whether a run would start well here: launch, cores, memory, settings, data, disk",
     doctor_command, true},
    {"selftest", "whether kernels, averages, bytes and checkpoints are right on this machine",
     selftest_command, true},
    {"plan", "what a run will cost: memory, bytes on the wire, seconds", plan_command},
    {"bench", "how fast this machine trains, averages and prepares data", bench_command, true},
}};

constexpr std::string_view kExitStatuses = R"(exit status:
  0  success
  1  the world failed: disk, network, another process
  2  a mistake in the command line, the experiment file or a data file; nothing was written
  3  training diverged: a loss or a parameter is not finite
  75 stopped by a signal or the time limit, behind a checkpoint or before the first round: the same
     command goes on, without --force
     (a signal to mpirun itself: SIGUSR1, which it passes on; SIGTERM ends it with 1)
)";

constexpr std::string_view kTitle = "Local SGD with adaptive batch sizes on CPU clusters";

constexpr std::array<MainOption, 4> kMainOptions{{
    {"--help", "", "print this text"},
    {"--version", "", "print the version and the commit it was built from"},
    {"--man", "", "print the man page, with the options of all commands"},
    {"--completion", "bash|zsh", "print a script by which the shell completes this command line"},
}};

void print_help() {
  print("localbatch {}: {}\n\n", build_info().version, kTitle);
  print("usage:\n  localbatch COMMAND ...\n  mpirun -np RANKS localbatch run FILE\n\n");
  print("commands:\n");
  for (const Command& command : kCommands) print("  {:<10}{}\n", command.name, command.summary);
  print("\noptions without a command:\n");
  for (const MainOption& option : kMainOptions)
    print("  {:<24}{}\n", fmt::format("{} {}", option.name, option.value), option.meaning);
  print("\n'localbatch COMMAND --help' lists the options of a command.\n\n{}", kExitStatuses);
}

Manual manual() {
  Manual manual{.title = kTitle,
                .options = {kMainOptions.begin(), kMainOptions.end()},
                .commands = {},
                .exit_statuses = kExitStatuses.substr(kExitStatuses.find('\n') + 1)};
  for (const Command& command : kCommands)
    manual.commands.push_back(
        {std::string(command.name), std::string(command.summary), help_of(command.run)});
  return manual;
}

void print_completion(const std::string& shell) {
  if (shell != "bash" && shell != "zsh")
    fail_input("--completion: found '{}', allowed is {}", shell,
               allowed_names(shell, std::vector<std::string>{"bash", "zsh"}));
  print("{}", shell == "bash" ? bash_completion(manual()) : zsh_completion(manual()));
}

/// Answers the options of kMainOptions; nothing where a command is named.
std::optional<ExitStatus> answer_without_command(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    print_help();
    return arguments.empty() ? kInputFailure : kSuccess;
  }
  if (arguments[0] == "--version")
    print("localbatch {} ({})\n", build_info().version, build_info().commit);
  else if (arguments[0] == "--man")
    print("{}", man_page(manual()));
  else if (arguments[0] == "--completion")
    print_completion(arguments.size() > 1 ? arguments[1] : "");
  else
    return {};
  return kSuccess;
}

const Command& command_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (name == command.name) return command;
    names.emplace_back(command.name);
  }
  fail_input("'{}' is no command, allowed is {}", name, allowed_names(name, names));
}

/// Whether this process has something to say that no other process of mpirun says.
bool is_to_answer(const std::vector<std::string>& arguments) {
  if (launched_place(launch_environment()) == 0) return true;
  return std::ranges::any_of(kCommands, [&arguments](const Command& command) {
    return command.on_all_ranks && !arguments.empty() && arguments[0] == command.name;
  });
}

/// What was printed may still lie in a buffer: a full disk shows when it is written.
int status_with_output(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  print(stderr, "localbatch: standard output could not be written: {}\n",
        std::generic_category().message(errno));
  return status == kSuccess ? static_cast<int>(kSystemFailure) : status;
}

}  // namespace
}  // namespace localbatch

int main(int argc, char** argv) {
  using namespace localbatch;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!is_to_answer(arguments)) return kSuccess;
  int status = kSuccess;
  try {
    if (const auto answered = answer_without_command(arguments))
      status = *answered;
    else
      status = command_named(arguments[0]).run(std::span(arguments).subspan(1));
  } catch (const std::exception& error) {
    status = exit_status_of(error);
    if (status != kSuccess) print(stderr, "localbatch: {}\n", error.what());
  }
  return status_with_output(status);
}
