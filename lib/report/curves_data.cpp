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

constexpr std::array<const char*, 4> kX{"samples", "rounds", "seconds", "bytes"};

bool is_of_rounds(const std::string& name) {
  return std::ranges::any_of(round_columns(),
                             [&name](const auto& column) { return column.name == name; });
}

/// x after each round, by its number.
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

double at(const Curve& curve, double x) {
  const auto behind = std::ranges::lower_bound(curve.x, x);
  const auto i = static_cast<std::size_t>(behind - curve.x.begin());
  if (curve.x[i] == x) return curve.y[i];
  const double share = (x - curve.x[i - 1]) / (curve.x[i] - curve.x[i - 1]);
  return curve.y[i - 1] + share * (curve.y[i] - curve.y[i - 1]);
}

std::string note_of(const ResultCell& cell, int drawn, bool diverged) {
  if (diverged) return "diverged";
  if (drawn == static_cast<int>(cell.runs.size())) return {};
  return fmt::format("{} of {} seeds", drawn, cell.runs.size());
}

}  // namespace

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

void check_axes(const FigureAxes& axes) {
  const auto check_name = [](std::string_view option, const std::string& name,
                             const std::vector<std::string>& names) {
    if (std::ranges::find(names, name) == names.end())
      fail_input("--{}: found '{}', allowed is {}", option, name, allowed_names(name, names));
  };
  check_name("x", axes.x, names_of_x());
  check_name("y", axes.y, names_of_y());
}

AxisScale scale_of(const std::string& name) {
  if (name == "test_accuracy") return {.title = "test accuracy (%)", .divisor = 0.01};
  // Schedules and H make the same training differ by orders of magnitude.
  if (name == "bytes")
    return {.title = "MB given to averages by each worker", .divisor = 1e6, .is_logarithmic = true};
  if (name == "seconds") return {.title = "wall time (s)"};
  if (name == "samples") return {.title = "samples (thousands)", .divisor = 1e3};
  const bool is_size = name.ends_with("local_batch_size") || name.ends_with("global_batch_size");
  std::string title = name;
  std::ranges::replace(title, '_', ' ');
  return {.title = std::move(title), .divisor = 1, .is_logarithmic = is_size};
}

std::optional<Curve> curve_of(const FinishedRun& run, const FigureAxes& axes) {
  const std::optional<CsvColumns>& columns = is_of_rounds(axes.y) ? run.rounds : run.evaluations;
  if (!columns || !columns->has(axes.y)) return {};
  std::optional<std::map<double, double>> sums;
  if (axes.x == "seconds") sums = sums_by_round(run.timing, "total_seconds");
  if (axes.x == "bytes") sums = sums_by_round(run.rounds, "method_bytes");
  if (!sums && (axes.x == "seconds" || axes.x == "bytes")) return {};
  const std::vector<double> rounds = columns->positions("round");
  const std::vector<double> samples = columns->positions("samples");
  const std::vector<std::optional<double>> values = columns->numbers(axes.y);
  Curve curve;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i] || !std::isfinite(*values[i])) continue;
    double x = axes.x == "samples" ? samples[i] : rounds[i];
    if (sums) {
      const auto found = sums->find(rounds[i]);
      if (found == sums->end()) continue;
      x = found->second;
    }
    if (!curve.x.empty() && x <= curve.x.back()) continue;
    curve.x.push_back(x);
    curve.y.push_back(*values[i]);
  }
  if (curve.x.empty()) return {};
  return curve;
}

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
    band.x.push_back(x);
    band.mean.push_back(sum / band.n);
    band.min.push_back(least);
    band.max.push_back(most);
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
    kept.x.push_back(band.x[i]);
    kept.mean.push_back(band.mean[i]);
    kept.min.push_back(band.min[i]);
    kept.max.push_back(band.max[i]);
  }
  return kept;
}

Figure make_figure(const Results& results, const FigureAxes& axes) {
  check_axes(axes);
  Figure figure{
      .axes = axes, .rows = results.rows, .groups = results.groups, .series = {}, .remarks = {}};
  for (const ResultCell& cell : results.cells) {
    const bool finished = std::ranges::any_of(
        cell.runs, [](const SeedRun& run) { return run.run.status == RunStatus::kFinished; });
    const RunStatus shown = finished ? RunStatus::kFinished : RunStatus::kDiverged;
    std::vector<Curve> curves;
    for (const SeedRun& run : cell.runs) {
      const std::optional<Curve> curve = curve_of(run.run, axes);
      if (run.run.status == shown && curve) {
        curves.push_back(*curve);
        continue;
      }
      const bool ended = run.run.status == shown;
      figure.remarks.push_back(fmt::format(
          "{}, {}, seed {} is not shown: {}", results.rows[cell.row], results.groups[cell.group],
          run.seed, ended ? "its files do not hold the data" : status_text(run.run)));
    }
    Band band = without_flat_points(band_of(curves));
    if (band.x.empty()) continue;
    std::string note = note_of(cell, static_cast<int>(curves.size()), !finished);
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
