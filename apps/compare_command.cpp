#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "report/run_comparison.h"

namespace localbatch {

int compare_command(std::span<const std::string> arguments) {
  std::vector<std::string> runs;
  CommandLine line("compare");
  line.positional("runs", runs);
  if (!line.read(
          arguments,
          "usage: localbatch compare RUN RUN\n\n"
          "Says in which settings two runs differ, where their curves differ first, and how\n"
          "they ended. A RUN is the folder of a run, or holds one.\n"))
    return kSuccess;
  if (runs.size() != 2)
    fail_input("compare: found {}, expected two folders of runs; see 'localbatch compare --help'",
               runs.size());
  print("{}\n", compare_runs(runs[0], runs[1]));
  return kSuccess;
}

}  // namespace localbatch
