#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <iostream>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "report/gnuplot.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

/// What `localbatch plot` was asked for.
struct PlotOptions {
  ResultOptions results;
  FigureAxes axes;
  std::string folder, formats;
};

po::options_description visible_options(PlotOptions& options) {
  po::options_description visible("options");
  visible.add_options()("help,h", "print this text");
  options.results.add_to(visible);
  auto add = visible.add_options();
  add("x", po::value(&options.axes.x)->value_name("NAME")->default_value("samples"),
      "samples, rounds, seconds or bytes");
  add("y", po::value(&options.axes.y)->value_name("NAME")->default_value("test_accuracy"),
      "a column of evaluations.csv or rounds.csv, as 'localbatch describe evaluations.csv' lists "
      "them");
  add("write", po::value(&options.folder)->value_name("DIR")->default_value("."),
      "where pictures, data and script go");
  add("format", po::value(&options.formats)->value_name("a,b")->default_value("svg"),
      "svg, png, pdf");
  return visible;
}

std::vector<std::string> chosen_formats(std::string_view names) {
  const std::vector<std::string> known{"svg", "png", "pdf"};
  std::vector<std::string> chosen;
  while (true) {
    const std::string name(names.substr(0, names.find(',')));
    if (std::ranges::find(known, name) == known.end())
      fail_input("plot: --format: found '{}', allowed is {}{}", name, fmt::join(known, " | "),
                 did_you_mean(name, known));
    if (std::ranges::find(chosen, name) == chosen.end()) chosen.push_back(name);
    if (name.size() == names.size()) return chosen;
    names.remove_prefix(name.size() + 1);
  }
}

int plot(const PlotOptions& options) {
  check_axes(options.axes);
  const std::vector<std::string> formats = chosen_formats(options.formats);
  const Results results = options.results.collect("plot");
  const Figure figure = make_figure(results, options.axes);
  for (const std::string& remark : figure.remarks) fmt::print(stderr, "{}\n", remark);
  if (figure.series.empty())
    fail_input("plot: found no run with {} against {}", options.axes.y, options.axes.x);
  make_folder(options.folder);
  draw(figure, formats, options.folder);
  fmt::print("{}: {}, csv and gp\n",
             (std::filesystem::path(options.folder) / name_of(options.axes)).string(),
             fmt::join(formats, ", "));
  return kSuccess;
}

}  // namespace

int plot_command(std::span<const std::string> arguments) {
  PlotOptions options;
  const po::options_description visible = visible_options(options);
  const po::variables_map given = read_command_line(
      "plot", visible, {.name = "source", .value = po::value(&options.results.sources), .most = -1},
      arguments);
  if (given.count("help") > 0) {
    std::cout << "usage: localbatch plot FILE|FOLDER... [--x NAME] [--y NAME] [OPTIONS]\n\n"
              << "Draws curves of finished runs with gnuplot: a panel for each H, a line for each\n"
              << "schedule, the mean over seeds with a band from the smallest to the largest.\n"
              << "Script and data stay beside the picture, to be changed and run again.\n\n"
              << visible << std::flush;
    return kSuccess;
  }
  return plot(options);
}

}  // namespace localbatch
