#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/parse.h"
#include "core/text.h"
#include "elsewhere.h"
#include "report/controllers_figure.h"
#include "report/gnuplot.h"
#include "report/network_figure.h"

namespace localbatch {

namespace {

/// The command line of `localbatch plot`.
struct PlotOptions {
  ResultOptions results;
  FigureAxes axes{.x = "samples", .y = "test_accuracy"};
  std::string folder = ".", formats = "svg";
  bool controllers = false;
  std::optional<std::string> target;
  std::string workers = "4,16,64,256";
  ElsewhereOptions elsewhere;
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
  line.flag("controllers", options.controllers,
            "in place of --y: the local batch sizes that shadow_controllers want, a panel for each "
            "run, beside the measured critical ones of its branches");
  line.option("target", "COLUMN=VALUE", options.target,
              "in place of --x and --y: the seconds that 'plan --replay' predicts until "
              "evaluations reach test_accuracy=0.8 and stay there, or another target of 'table', "
              "against the bandwidth of a host's link");
  line.default_option("workers", "M,...", options.workers,
                      "with --target: a panel for each, as if so many took the rounds, with the "
                      "local batches and H of the recorded ones");
  options.elsewhere.declare(line);
  line.default_option("write", "DIR", options.folder, "where pictures, data and script go");
  line.default_option("format", "a,b", options.formats, "svg, png, pdf");
}

std::vector<std::string> chosen_formats(std::string_view names) {
  const std::vector<std::string> known{"svg", "png", "pdf"};
  std::vector<std::string> chosen;
  for (const std::string& name : split(names, ',')) {
    if (std::ranges::find(known, name) == known.end())
      fail_input("plot: --format: found '{}', allowed is {}", name, allowed_names(name, known));
    if (std::ranges::find(chosen, name) == chosen.end()) chosen.push_back(name);
  }
  return chosen;
}

/// The numbers of --workers.
std::vector<int> chosen_workers(const std::string& list) {
  std::vector<int> chosen;
  for (const std::string& word : split(list, ',')) {
    const std::optional<std::int64_t> number = integer_in(word);
    if (!number || *number < 1 || *number > kMostWorkersElsewhere)
      fail_input("plot: --workers: found '{}', expected a list of numbers from 1 to {}", word,
                 kMostWorkersElsewhere);
    const int count = static_cast<int>(*number);
    if (std::ranges::find(chosen, count) == chosen.end()) chosen.push_back(count);
  }
  return chosen;
}

/// Seconds to a target against bandwidths.
Figure figure_of_networks(const PlotOptions& options, const Target& target) {
  const std::vector<int> workers = chosen_workers(options.workers);
  const Results results = options.results.collect("plot");
  check_is_measured(target, results);
  std::map<int, Elsewhere> elsewhere;
  for (const int count : workers) elsewhere.try_emplace(count, "plot", options.elsewhere, count);
  return network_figure(results, target, workers, [&elsewhere](int count, double bandwidth) {
    return [&there = elsewhere.at(count), bandwidth](const FinishedRun& run) {
      return there.ends(run, {.bandwidth = bandwidth});
    };
  });
}

/// Refuses options that change nothing beside `option`.
void check_unused(const std::string& option,
                  const std::vector<std::pair<std::string, bool>>& others) {
  for (const auto& [name, is_usual] : others)
    if (!is_usual) fail_input("plot: --{}: found with --{}, expected one of these", option, name);
}

Figure figure_of(const PlotOptions& options) {
  options.elsewhere.check("plot", "target", options.target.has_value());
  const PlotOptions usual;
  if (options.controllers) {
    check_unused("controllers", {{"x", options.axes.x == usual.axes.x},
                                 {"y", options.axes.y == usual.axes.y},
                                 {"target", !options.target},
                                 {"workers", options.workers == usual.workers}});
    return controllers_figure(options.results.collect("plot"), checked_axes(options.axes).smooth);
  }
  if (!options.target) {
    if (options.workers != usual.workers)
      fail_input("plot: --workers: found without --target, expected both");
    const FigureAxes axes = checked_axes(options.axes);
    return make_figure(options.results.collect("plot"), axes);
  }
  check_unused("target", {{"x", options.axes.x == usual.axes.x},
                          {"y", options.axes.y == usual.axes.y},
                          {"smooth", options.axes.smooth == usual.axes.smooth}});
  return figure_of_networks(options, parse_target(*options.target));
}

int plot(const PlotOptions& options) {
  const std::vector<std::string> formats = chosen_formats(options.formats);
  const Figure figure = figure_of(options);
  const FigureAxes& axes = figure.axes;
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
