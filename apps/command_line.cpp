#include "command_line.h"

#include "core/error.h"

namespace localbatch {

namespace po = boost::program_options;

po::variables_map read_command_line(std::string_view command,
                                    const po::options_description& visible,
                                    const Positional& positional,
                                    std::span<const std::string> arguments) {
  po::options_description all;
  all.add(visible).add_options()(positional.name, positional.value);
  po::positional_options_description places;
  places.add(positional.name, positional.most);
  po::variables_map given;
  try {
    po::store(po::command_line_parser({arguments.begin(), arguments.end()})
                  .options(all)
                  .positional(places)
                  .run(),
              given);
    po::notify(given);
  } catch (const po::error& error) {
    fail_input("{0}: {1}; see 'localbatch {0} --help'", command, error.what());
  }
  return given;
}

void check_can_hold_a_file(std::string_view command, std::string_view option,
                           const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (path.filename().empty() || std::filesystem::is_directory(path) ||
      !std::filesystem::is_directory(folder))
    fail_input("{}: --{}: found '{}', allowed is a file in a folder that exists", command, option,
               path.string());
}

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
