#include "report/curves_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/csv.h"
#include "core/error.h"
#include "core/text.h"
#include "report/table_text.h"
#include "run/columns.h"

namespace localbatch {

namespace {

constexpr std::array<const char*, 6> kX{"samples",     "rounds",  "epochs",
                                        "local_steps", "seconds", "bytes"};

/// The columns of rounds.csv that say what a round begins with.
constexpr std::array<const char*, 4> kOfBeginning{"sync_interval", "local_batch_size",
                                                  "global_batch_size", "learning_rate"};

bool is_of_rounds(const std::string& name) {
  return std::ranges::any_of(round_columns(),
                             [&name](const auto& column) { return column.name == name; });
}

/// The sum of a column over the rounds up to each, by its number.
std::optional<std::map<double, double>> sums_by_round(const std::optional<CsvColumns>& columns,
                                                      const std::string& name) {
  if (!columns || !columns->has(name)) return {};
  const std::vector<double> rounds = columns->positions("round");
  const std::vector<double> values = columns->all_numbers(name);
  std::map<double, double> sums;
  double sum = 0;
  for (std::size_t i = 0; i < rounds.size(); ++i) sums[rounds[i]] = sum += values[i];
  return sums;
}

void add_point(double x, double y, Curve& curve) {
  if (!curve.x.empty() && x <= curve.x.back()) return;
  curve.x.push_back(x);
  curve.y.push_back(y);
}

double at(const Curve& curve, double x) {
  const auto behind = std::ranges::lower_bound(curve.x, x);
  const auto i = static_cast<std::size_t>(behind - curve.x.begin());
  if (curve.x[i] == x) return curve.y[i];
  if (curve.has_steps) return curve.y[i - 1];
  const double share = (x - curve.x[i - 1]) / (curve.x[i] - curve.x[i - 1]);
  return curve.y[i - 1] + share * (curve.y[i] - curve.y[i - 1]);
}

}  // namespace

std::optional<std::vector<std::optional<double>>> ends_of_rows(const FinishedRun& run,
                                                               const CsvColumns& columns,
                                                               const std::string& x) {
  if (x == "samples" || x == "rounds" || x == "epochs") {
    const std::string name = x == "samples" ? x : x.substr(0, x.size() - 1);
    if (!columns.has(name)) return {};
    const std::vector<double> ends = columns.positions(name);
    return std::vector<std::optional<double>>(ends.begin(), ends.end());
  }
  const auto sums = x == "seconds" ? sums_by_round(run.timing, "total_seconds")
                    : x == "bytes" ? sums_by_round(run.rounds, "method_bytes")
                                   : sums_by_round(run.rounds, "sync_interval");
  if (!sums) return {};
  std::vector<std::optional<double>> ends;
  for (const double round : columns.positions("round")) {
    const auto found = sums->find(round);
    ends.push_back(found == sums->end() ? std::nullopt : std::optional(found->second));
  }
  return ends;
}

std::vector<std::string> names_of_x() { return {kX.begin(), kX.end()}; }

std::vector<std::string> names_of_y() {
  std::vector<std::string> names;
  for (const auto& column : evaluation_columns())
    if (column.name != "round") names.emplace_back(column.name);
  for (const auto& column : round_columns())
    if (column.name != "round" && column.name != "reason" &&
        std::ranges::find(names, column.name) == names.end())
      names.emplace_back(column.name);
  return names;
}

FigureAxes checked_axes(FigureAxes axes) {
  const auto check_name = [](std::string_view option, const std::string& name,
                             const std::vector<std::string>& names) {
    if (std::ranges::find(names, name) == names.end())
      fail_input("--{}: found '{}', allowed is {}", option, name, allowed_names(name, names));
  };
  if (axes.x == "round" || axes.x == "epoch") axes.x += 's';
  check_name("x", axes.x, names_of_x());
  check_name("y", axes.y, names_of_y());
  constexpr int kMost = 9999;
  if (axes.smooth < 1 || axes.smooth > kMost || axes.smooth % 2 == 0)
    fail_input("--smooth: found {}, allowed is an odd number from 1 to {}", axes.smooth, kMost);
  return axes;
}

AxisScale scale_of(const std::string& name) {
  if (name == "test_accuracy") return {.title = "test accuracy (%)", .divisor = 0.01};
  if (name == "averaged_test_accuracy")
    return {.title = "test accuracy of the mean over rounds (%)", .divisor = 0.01};
  if (name == "validation_accuracy") return {.title = "validation accuracy (%)", .divisor = 0.01};
  // Schedules and H make the same training differ by orders of magnitude.
  if (name == "bytes")
    return {.title = "MB given to averages by each worker", .divisor = 1e6, .is_logarithmic = true};
  if (name == "seconds") return {.title = "wall time (s)"};
  if (name == "bandwidth")
    return {
        .title = "bandwidth of a host's link (Gbit/s)", .divisor = 1e9 / 8, .is_logarithmic = true};
  if (name == "predicted_seconds") return {.title = "predicted seconds", .is_logarithmic = true};
  if (name == "wanted_by_controllers") return {.title = "local batch size", .is_logarithmic = true};
  if (name == "samples") return {.title = "samples (thousands)", .divisor = 1e3};
  const bool is_size = name.ends_with("local_batch_size") || name.ends_with("global_batch_size");
  std::string title = name;
  std::ranges::replace(title, '_', ' ');
  return {.title = std::move(title), .divisor = 1, .is_logarithmic = is_size};
}

std::optional<Curve> curve_of(const FinishedRun& run, const FigureAxes& axes) {
  const std::optional<CsvColumns>& columns = is_of_rounds(axes.y) ? run.rounds : run.evaluations;
  if (!columns || !columns->has(axes.y)) return {};
  const auto ends = ends_of_rows(run, *columns, axes.x);
  if (!ends) return {};
  const std::vector<std::optional<double>> values = columns->numbers(axes.y);
  Curve curve;
  curve.has_steps = std::ranges::find(kOfBeginning, axes.y) != kOfBeginning.end();
  // The first round begins at 0, which a logarithmic axis does not have.
  std::optional<double> begin;
  if (!scale_of(axes.x).is_logarithmic) begin = 0;
  std::optional<std::pair<double, double>> last;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<double> end = (*ends)[i];
    const std::optional<double> x = curve.has_steps ? begin : end;
    begin = end;
    if (!values[i] || !std::isfinite(*values[i]) || !end || !std::isfinite(*end)) continue;
    if (x) add_point(*x, *values[i], curve);
    last = {*end, *values[i]};
  }
  if (!last) return {};
  if (curve.has_steps) add_point(last->first, last->second, curve);
  return curve;
}

Curve smoothed(const Curve& curve, int points) {
  Curve medians = curve;
  const auto half = static_cast<std::size_t>(points / 2);
  for (std::size_t i = 0; i < curve.y.size(); ++i) {
    const std::size_t first = i - std::min(i, half);
    const std::size_t end = std::min(curve.y.size(), i + half + 1);
    std::vector<double> around(curve.y.begin() + static_cast<std::ptrdiff_t>(first),
                               curve.y.begin() + static_cast<std::ptrdiff_t>(end));
    std::ranges::sort(around);
    const std::size_t middle = around.size() / 2;
    medians.y[i] =
        around.size() % 2 == 1 ? around[middle] : (around[middle - 1] + around[middle]) / 2;
  }
  return medians;
}

namespace {

void add_heights(double x, double mean, double min, double max, Band& band) {
  band.x.push_back(x);
  band.mean.push_back(mean);
  band.min.push_back(min);
  band.max.push_back(max);
}

}  // namespace

Band band_of(const std::vector<Curve>& curves) {
  Band band{.x = {}, .mean = {}, .min = {}, .max = {}, .n = static_cast<int>(curves.size())};
  if (curves.empty()) return band;
  double begin = -HUGE_VAL, end = HUGE_VAL;
  std::vector<double> all;
  for (const Curve& curve : curves) {
    begin = std::max(begin, curve.x.front());
    end = std::min(end, curve.x.back());
    all.insert(all.end(), curve.x.begin(), curve.x.end());
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (const double x : all) {
    if (x < begin || x > end) continue;
    double sum = 0, least = HUGE_VAL, most = -HUGE_VAL;
    for (const Curve& curve : curves) {
      const double y = at(curve, x);
      sum += y;
      least = std::min(least, y);
      most = std::max(most, y);
    }
    if (curves.front().has_steps && !band.x.empty())
      add_heights(x, band.mean.back(), band.min.back(), band.max.back(), band);
    add_heights(x, sum / band.n, least, most, band);
  }
  return band;
}

Band without_flat_points(const Band& band) {
  Band kept{.x = {}, .mean = {}, .min = {}, .max = {}, .n = band.n};
  const auto same = [&band](std::size_t i, std::size_t j) {
    return band.mean[i] == band.mean[j] && band.min[i] == band.min[j] && band.max[i] == band.max[j];
  };
  for (std::size_t i = 0; i < band.x.size(); ++i) {
    if (i > 0 && i + 1 < band.x.size() && same(i, i - 1) && same(i, i + 1)) continue;
    add_heights(band.x[i], band.mean[i], band.min[i], band.max[i], kept);
  }
  return kept;
}

std::string note_of(const ResultCell& cell, Counted counted, int drawn) {
  if (counted == Counted::kDiverged) return "diverged";
  const auto all = static_cast<int>(cell.runs.size());
  std::string note;
  if (counted == Counted::kUnfinished)
    note = all == 1 ? fmt::format("unfinished, {} %", cell.runs[0].run.percent) : "unfinished";
  if (drawn == all) return note;
  return fmt::format("{}{}{} of {} seeds", note, note.empty() ? "" : "; ", drawn, all);
}

std::string not_shown(const Results& results, const ResultCell& cell, const SeedRun& run,
                      const std::string& reason) {
  return fmt::format("{}, {}, seed {} is not shown: {}", results.rows[cell.row],
                     results.groups[cell.group], run.seed, reason);
}

Figure make_figure(const Results& results, const FigureAxes& given) {
  const FigureAxes axes = checked_axes(given);
  Figure figure{.axes = axes,
                .title = results.title,
                .rows = results.rows,
                .groups = results.groups,
                .series = {},
                .remarks = results.remarks};
  if (axes.smooth > 1) figure.title += fmt::format(" (moving median of {} points)", axes.smooth);
  for (const ResultCell& cell : results.cells) {
    const Counted counted = counted_runs(results, cell);
    std::vector<Curve> curves;
    for (const SeedRun& run : cell.runs) {
      const std::optional<Curve> curve = curve_of(run.run, axes);
      const bool is_shown = counts(run.run, counted);
      if (is_shown && curve) {
        curves.push_back(axes.smooth > 1 ? smoothed(*curve, axes.smooth) : *curve);
        continue;
      }
      figure.remarks.push_back(not_shown(
          results, cell, run, is_shown ? "its files do not hold the data" : status_text(run.run)));
    }
    Band band = without_flat_points(band_of(curves));
    if (band.x.empty()) {
      if (!curves.empty())
        figure.remarks.push_back(fmt::format("{}, {} is not shown: its seeds have no {} in common",
                                             results.rows[cell.row], results.groups[cell.group],
                                             axes.x));
      continue;
    }
    std::string note = note_of(cell, counted, static_cast<int>(curves.size()));
    figure.series.push_back(
        {.row = cell.row, .group = cell.group, .note = std::move(note), .band = std::move(band)});
  }
  return figure;
}

std::string data_of(const Figure& figure) {
  const double x_unit = scale_of(figure.axes.x).divisor, y_unit = scale_of(figure.axes.y).divisor;
  std::string csv = csv_line({"series", "H", "schedule", "x", "mean", "min", "max", "n"});
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const auto& [row, group, note, band] = figure.series[i];
    for (std::size_t j = 0; j < band.x.size(); ++j)
      csv += csv_line({fmt::format("{}", i + 1), figure.groups[group], figure.rows[row],
                       fmt::format("{:.10g}", band.x[j] / x_unit),
                       fmt::format("{:.10g}", band.mean[j] / y_unit),
                       fmt::format("{:.10g}", band.min[j] / y_unit),
                       fmt::format("{:.10g}", band.max[j] / y_unit), fmt::format("{}", band.n)});
  }
  return csv;
}

}  // namespace localbatch
