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

/// What a controller wants after each round that it was asked after. Whatever is less than one
/// sample counts as one: a rule that wants a thousandth would else leave no room for the others.
Curve wanted_by(const std::string& controller, const CsvColumns& columns) {
  const std::vector<std::string>& settings = columns.cells("settings");
  const std::vector<double> samples = columns.positions("samples");
  const auto wanted = columns.numbers("wanted_local_batch_size");
  Curve curve;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (settings[i] != controller || !wanted[i] || std::isnan(*wanted[i])) continue;
    curve.x.push_back(samples[i]);
    curve.y.push_back(std::max(1.0, *wanted[i]));
  }
  return curve;
}

Curve without_infinity(const Curve& curve) {
  Curve finite;
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    if (!std::isfinite(curve.y[i])) continue;
    finite.x.push_back(curve.x[i]);
    finite.y.push_back(curve.y[i]);
  }
  return finite;
}

void add_controllers(const CsvColumns& columns, int smooth, Lines& lines) {
  std::vector<std::string> names;
  for (const std::string& name : columns.cells("settings"))
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  for (const std::string& name : names) {
    const Curve curve = without_infinity(smoothed(wanted_by(name, columns), smooth));
    if (!curve.x.empty()) lines.add(name, band_of({curve}));
  }
}

void add_critical(const CsvColumns& columns, Lines& lines) {
  const std::vector<double> repeats = columns.all_numbers("repeats");
  lines.add("measured critical", {.x = columns.positions("at_samples"),
                                  .mean = columns.all_numbers("critical_local_batch_size"),
                                  .min = columns.all_numbers("lowest"),
                                  .max = columns.all_numbers("highest"),
                                  .n = repeats.empty() ? 0 : static_cast<int>(repeats.front())});
}

/// A panel for the run, if its folder has what is to be drawn.
void add_run(const Results& results, const ResultCell& cell, const SeedRun& run, Figure& figure) {
  const Counted counted = counted_runs(results, cell);
  const std::filesystem::path controllers = run.run.path / "controllers.csv",
                              critical = run.run.path / "critical_batch_sizes.csv";
  const std::string lacks = !counts(run.run, counted)               ? status_text(run.run)
                            : !std::filesystem::exists(controllers) ? "it has no controllers.csv"
                                                                    : "";
  if (!lacks.empty()) {
    figure.remarks.push_back(not_shown(results, cell, run, lacks));
    return;
  }
  const std::string note = note_of(cell, counted, static_cast<int>(cell.runs.size()));
  figure.groups.push_back(fmt::format("{}, {}, seed {}{}{}", results.rows[cell.row],
                                      results.groups[cell.group], run.seed,
                                      note.empty() ? "" : ", ", note));
  Lines lines(figure);
  add_controllers(CsvColumns(controllers), figure.axes.smooth, lines);
  if (const auto used = curve_of(run.run, {.x = "samples", .y = "local_batch_size"}))
    lines.add("used", without_flat_points(band_of({*used})));
  if (std::filesystem::exists(critical)) add_critical(CsvColumns(critical), lines);
}

}  // namespace

Figure controllers_figure(const Results& results, int smooth) {
  Figure figure{.axes = {.x = "samples", .y = "wanted_by_controllers", .smooth = smooth},
                .title = results.title,
                .rows = {},
                .groups = {},
                .series = {},
                .remarks = results.remarks,
                .band_text = "band: smallest to largest of repeats"};
  if (smooth > 1) figure.title += fmt::format(" (moving median of {} rounds)", smooth);
  for (const ResultCell& cell : results.cells)
    for (const SeedRun& run : cell.runs) add_run(results, cell, run, figure);
  return figure;
}

}  // namespace localbatch
