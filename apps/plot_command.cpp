#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/text.h"
#include "report/gnuplot.h"

namespace localbatch {

namespace {

/// The command line of `localbatch plot`.
struct PlotOptions {
  ResultOptions results;
  FigureAxes axes{.x = "samples", .y = "test_accuracy"};
  std::string folder = ".", formats = "svg";
};

void declare_options(CommandLine& line, PlotOptions& options) {
  options.results.declare(line);
  line.default_option("x", "NAME", options.axes.x,
                      "samples, rounds, epochs, local_steps, seconds or bytes");
  line.default_option("y", "NAME", options.axes.y,
                      "a column of evaluations.csv or rounds.csv, as 'localbatch describe "
                      "evaluations.csv' lists them");
  line.default_option("smooth", "N", options.axes.smooth,
                      "draw the median of N points of a curve, an odd number, in place of each");
  line.default_option("write", "DIR", options.folder, "where pictures, data and script go");
  line.default_option("format", "a,b", options.formats, "svg, png, pdf");
}

std::vector<std::string> chosen_formats(std::string_view names) {
  const std::vector<std::string> known{"svg", "png", "pdf"};
  std::vector<std::string> chosen;
  while (true) {
    const std::string name(names.substr(0, names.find(',')));
    if (std::ranges::find(known, name) == known.end())
      fail_input("plot: --format: found '{}', allowed is {}", name, allowed_names(name, known));
    if (std::ranges::find(chosen, name) == chosen.end()) chosen.push_back(name);
    if (name.size() == names.size()) return chosen;
    names.remove_prefix(name.size() + 1);
  }
}

int plot(const PlotOptions& options) {
  const FigureAxes axes = checked_axes(options.axes);
  const std::vector<std::string> formats = chosen_formats(options.formats);
  const Results results = options.results.collect("plot");
  const Figure figure = make_figure(results, axes);
  for (const std::string& remark : figure.remarks) print(stderr, "{}\n", remark);
  if (figure.series.empty()) fail_input("plot: found no run with {} against {}", axes.y, axes.x);
  make_folder(options.folder);
  draw(figure, formats, options.folder);
  const std::string drawn = (std::filesystem::path(options.folder) / name_of(axes)).string();
  for (const std::string& format : formats) print("{}.{}\n", drawn, format);
  print("{0}.gp draws it again from {0}.csv\n", drawn);
  return kSuccess;
}

}  // namespace

int plot_command(std::span<const std::string> arguments) {
  PlotOptions options;
  CommandLine line("plot");
  declare_options(line, options);
  if (!line.read(arguments,
                 "usage: localbatch plot FILE|FOLDER... [--x NAME] [--y NAME] [OPTIONS]\n\n"
                 "Draws curves of finished runs with gnuplot: a panel for each H, a line for each\n"
                 "schedule, the mean over seeds with a band from the smallest to the largest.\n"
                 "What a round begins with (H, batch sizes, learning rate) is drawn as steps.\n"
                 "Script and data stay beside the picture, to be changed and run again.\n"))
    return kSuccess;
  return plot(options);
}

}  // namespace localbatch
