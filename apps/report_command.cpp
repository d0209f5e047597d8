#include <fmt/core.h>

#include <array>

#include "command_line.h"
#include "commands.h"
#include "core/files.h"
#include "report/gnuplot.h"
#include "report/html_page.h"
#include "report/result_table.h"

namespace localbatch {

namespace {

struct Curves {
  const char* y;
  const char* x;
};

constexpr std::array<Curves, 6> kCurves{{{"test_accuracy", "samples"},
                                         {"test_accuracy", "bytes"},
                                         {"test_bits_per_byte", "samples"},
                                         {"test_perplexity", "samples"},
                                         {"train_loss", "samples"},
                                         {"local_batch_size", "samples"}}};

int report(const ResultOptions& options, const std::string& file) {
  check_can_hold_a_file("report", "write", file, options.sources);
  const Results results = options.collect("report");
  const TablePage table = page_of(make_table(results, chosen_columns("")));
  std::vector<PageFigure> figures;
  for (const auto& [y, x] : kCurves) {
    const Figure figure = make_figure(results, {.x = x, .y = y});
    if (figure.series.empty()) continue;
    std::string caption = fmt::format("{} against {}.", scale_of(y).title, scale_of(x).title);
    for (const std::string& remark : figure.remarks) caption += " " + remark + ".";
    figures.push_back({.caption = std::move(caption),
                       .svg = inline_svg(figure, fmt::format("f{}-", figures.size() + 1))});
  }
  write_file_atomically(file, html_page(results, table, figures));
  print("{}\n", file);
  return kSuccess;
}

}  // namespace

int report_command(std::span<const std::string> arguments) {
  ResultOptions options;
  std::string file = "report.html";
  CommandLine line("report");
  options.declare(line);
  line.default_option("write", "FILE.html", file, "the page");
  if (!line.read(arguments,
                 "usage: localbatch report FILE|FOLDER... [--write FILE.html] [OPTIONS]\n\n"
                 "Writes one HTML page without any other file: table, curves, settings, machines\n"
                 "and versions, and all runs with their states.\n"))
    return kSuccess;
  return report(options, file);
}

}  // namespace localbatch
