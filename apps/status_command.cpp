#include <boost/program_options.hpp>
#include <iostream>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "printers.h"

namespace localbatch {

namespace po = boost::program_options;

int status_command(std::span<const std::string> arguments) {
  RunRequest request;
  std::string file, output;
  po::options_description visible("options");
  auto add = visible.add_options();
  add("help,h", "print this text");
  add("set", po::value(&request.settings)->value_name("KEY=VALUE")->composing(),
      "change a key of the experiment file, as run does; may be repeated");
  add("output", po::value(&output)->value_name("DIR")->default_value("results"),
      "where its results go");
  const po::variables_map values =
      read_command_line("status", visible, {.name = "file", .value = po::value(&file)}, arguments);
  if (values.count("help") > 0) {
    std::cout << "usage: localbatch status FILE [--set KEY=VALUE]... [--output DIR]\n\n"
              << "Says how far the cells of FILE's sweep are, from the files of their folders.\n\n"
              << visible << std::flush;
    return kSuccess;
  }
  if (file.empty())
    fail_input("status: an experiment file is missing; see 'localbatch status --help'");
  request.file = file;
  request.output = output;
  request.cpu_has_bfloat16 = true;
  print_cells(status_of_cells(request));
  return kSuccess;
}

}  // namespace localbatch
