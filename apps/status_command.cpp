#include "command_line.h"
#include "commands.h"
#include "printers.h"
#include "run/run_sweep.h"

namespace localbatch {

int status_command(std::span<const std::string> arguments) {
  RunRequest request;
  std::string file, output = "results";
  CommandLine line("status");
  line.positional("file", file);
  line.set_option(request.settings);
  line.default_option("output", "DIR", output, "where its results go");
  if (!line.read(arguments,
                 "usage: localbatch status FILE [--set KEY=VALUE]... [--output DIR]\n\n"
                 "Says how far the cells of FILE's sweep are, from the files of their folders.\n"))
    return kSuccess;
  require_file("status", file);
  request.file = file;
  request.output = output;
  request.cpu_has_bfloat16 = true;
  print_cells(progress_of_cells(request));
  return kSuccess;
}

}  // namespace localbatch
