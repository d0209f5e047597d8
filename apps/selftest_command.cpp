#include <cstdio>
#include <string>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "selftest/selftest.h"

namespace localbatch {

namespace {

void print_check(const SelfCheck& check) {
  print("{:<46} {:<6} {:.1f} s\n", check.name, check.difference.empty() ? "ok" : "FAILED",
        check.seconds);
  if (!check.difference.empty()) print("  {}\n", check.difference);
  std::fflush(stdout);
}

}  // namespace

int selftest_command(std::span<const std::string> arguments) {
  std::string output = "results";
  CommandLine line("selftest");
  line.default_option("output", "DIR", output,
                      "on whose file system runs write; nothing stays there");
  if (!line.read(arguments,
                 "usage: localbatch selftest [--output DIR]\n"
                 "       mpirun -np RANKS localbatch selftest [--output DIR]\n\n"
                 "Checks the program on this machine in less than a minute, without any other\n"
                 "file: kernels against plain loops and each other, an average over the ranks\n"
                 "against its definition, the bytes of a short run on one rank and on all, and a\n"
                 "run that stops behind a checkpoint and goes on. Ends with status 1 when a check\n"
                 "fails.\n"))
    return kSuccess;
  return with_processes(start_processes(), [&](ProcessGroup& processes) -> int {
    SelfTestRequest request{.output = output};
    if (processes.num_ranks() > 1)
      request.on_failure = [rank = processes.rank()](const std::exception_ptr& failure) {
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& error) {
          end_job(error, rank);
        }
      };
    const bool passed = self_test(request, processes, print_check);
    if (processes.rank() != 0) return kSuccess;
    print("{}\n", passed ? "all is well" : "a check has failed");
    return passed ? kSuccess : kSystemFailure;
  });
}

}  // namespace localbatch
