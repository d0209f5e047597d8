#include "report/controllers_figure.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>

#include "report/table_text.h"

namespace localbatch {

namespace {

/// A figure that grows by lines of names that may be new.
class Lines {
 public:
  explicit Lines(Figure& figure) : figure_(figure) {}

  void add(const std::string& name, Band band) {
    if (band.x.empty()) return;
    auto row = std::ranges::find(figure_.rows, name);
    if (row == figure_.rows.end()) row = figure_.rows.insert(row, name);
    figure_.series.push_back({.row = static_cast<std::size_t>(row - figure_.rows.begin()),
                              .group = figure_.groups.size() - 1,
                              .note = "",
                              .band = std::move(band)});
  }

 private:
  Figure& figure_;
};

/// A logarithmic axis has the positive sizes; the others say no more than "less".
bool can_be_drawn(const std::optional<double>& size) {
  return size && std::isfinite(*size) && *size > 0;
}

void add_controllers(const CsvColumns& columns, int smooth, Lines& lines) {
  const std::vector<std::string>& settings = columns.cells("settings");
  const std::vector<double> samples = columns.positions("samples");
  const auto wanted = columns.numbers("wanted_local_batch_size");
  std::vector<std::string> names;
  for (const std::string& name : settings)
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  for (const std::string& name : names) {
    Curve curve;
    for (std::size_t i = 0; i < settings.size(); ++i) {
      if (settings[i] != name || !can_be_drawn(wanted[i])) continue;
      curve.x.push_back(samples[i]);
      curve.y.push_back(*wanted[i]);
    }
    if (!curve.x.empty()) lines.add(name, band_of({smoothed(curve, smooth)}));
  }
}

void add_critical(const CsvColumns& columns, Lines& lines) {
  lines.add("measured critical", {.x = columns.positions("at_samples"),
                                  .mean = columns.all_numbers("critical_local_batch_size"),
                                  .min = columns.all_numbers("lowest"),
                                  .max = columns.all_numbers("highest"),
                                  .n = 2});
}

}  // namespace

Figure controllers_figure(const Results& results, int smooth) {
  Figure figure{.axes = {.x = "samples", .y = "wanted_by_controllers", .smooth = smooth},
                .title = results.title,
                .rows = {},
                .groups = {},
                .series = {},
                .remarks = {}};
  if (smooth > 1) figure.title += fmt::format(" (moving median of {} rounds)", smooth);
  Lines lines(figure);
  for (const ResultCell& cell : results.cells)
    for (const SeedRun& run : cell.runs) {
      const std::filesystem::path controllers = run.run.path / "controllers.csv",
                                  critical = run.run.path / "critical_batch_sizes.csv";
      if (run.run.path.empty() || !std::filesystem::exists(controllers)) {
        figure.remarks.push_back(
            not_shown(results, cell, run,
                      run.run.path.empty() ? status_text(run.run) : "it has no controllers.csv"));
        continue;
      }
      figure.groups.push_back(fmt::format("{}, {}, seed {}", results.rows[cell.row],
                                          results.groups[cell.group], run.seed));
      add_controllers(CsvColumns(controllers), smooth, lines);
      if (const auto used = curve_of(run.run, {.x = "samples", .y = "local_batch_size"}))
        lines.add("used", without_flat_points(band_of({*used})));
      if (std::filesystem::exists(critical)) add_critical(CsvColumns(critical), lines);
    }
  return figure;
}

}  // namespace localbatch
