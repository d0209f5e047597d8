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

}  // namespace localbatch
