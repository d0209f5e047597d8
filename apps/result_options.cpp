#include "result_options.h"

#include "core/error.h"

namespace localbatch {

namespace po = boost::program_options;

void ResultOptions::add_to(po::options_description& visible) {
  visible.add_options()("output", po::value(&output)->value_name("DIR")->default_value("results"),
                        "where the results of an experiment FILE are, as run and status have it");
  visible.add_options()("set", po::value(&settings)->value_name("KEY=VALUE")->composing(),
                        "change a key of the experiment FILEs, as run does; may be repeated");
}

Results ResultOptions::collect(std::string_view command) const {
  if (sources.empty())
    fail_input("{0}: an experiment file or a folder is missing; see 'localbatch {0} --help'",
               command);
  return collect_results(
      {.sources = {sources.begin(), sources.end()}, .settings = settings, .output = output});
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_input("{}: cannot be made: {}", folder.string(), error.message());
}

}  // namespace localbatch
