#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report/results.h"

namespace localbatch {

/// Words that belong to no option: who holds them, and how many there may be (-1: any number).
struct Positional {
  const char* name;
  const boost::program_options::value_semantic* value;
  int most = 1;
};

/// Reads what follows the name of a subcommand into the places that the options name. Throws an
/// InputError that sends a person to `localbatch COMMAND --help`.
boost::program_options::variables_map read_command_line(
    std::string_view command, const boost::program_options::options_description& visible,
    const Positional& positional, std::span<const std::string> arguments);

/// Of a file that is to be written when the work is done: after it would be too late.
void check_can_hold_a_file(std::string_view command, std::string_view option,
                           const std::filesystem::path& path);

/// What the commands that read results have in common: which ones.
struct ResultOptions {
  std::vector<std::string> sources, settings;
  std::string output;

  void add_to(boost::program_options::options_description& visible);

  /// Throws an InputError that names the command when there is no source.
  Results collect(std::string_view command) const;
};

/// Makes a folder for files that a command writes.
void make_folder(const std::filesystem::path& folder);

}  // namespace localbatch
