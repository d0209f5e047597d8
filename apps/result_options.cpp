#include "result_options.h"

#include "command_line.h"
#include "core/error.h"

namespace localbatch {

void ResultOptions::declare(CommandLine& line) {
  line.positional("source", sources);
  line.default_option("output", "DIR", output,
                      "where the results of an experiment FILE are, as run and status have it");
  line.set_option(settings);
}

Results ResultOptions::collect(std::string_view command) const {
  if (sources.empty())
    fail_input("{0}: an experiment file or a folder is missing; see 'localbatch {0} --help'",
               command);
  return collect_results(
      {.sources = {sources.begin(), sources.end()}, .settings = settings, .output = output});
}

}  // namespace localbatch
