#include "report/network_figure.h"

#include <fmt/core.h>

#include <cmath>
#include <string>

#include "report/table_text.h"

namespace localbatch {

namespace {

constexpr double kBytesOfMegabit = 1e6 / 8;
constexpr int kDecades = 5, kPointsOfDecade = 4;

/// Bytes per second.
std::vector<double> bandwidths() {
  std::vector<double> all;
  for (int i = 0; i <= kDecades * kPointsOfDecade; ++i)
    all.push_back(kBytesOfMegabit * std::pow(10.0, static_cast<double>(i) / kPointsOfDecade));
  return all;
}

/// The runs of a cell that reach the target, with a remark for each of the others.
std::vector<const SeedRun*> runs_to(const Target& target, const Results& results,
                                    const ResultCell& cell, const PredictedEnds& ends,
                                    std::vector<std::string>& remarks) {
  const Counted counted = counted_runs(results, cell);
  std::vector<const SeedRun*> shown;
  for (const SeedRun& run : cell.runs) {
    std::string reason = status_text(run.run);
    if (counts(run.run, counted)) {
      const std::optional<double> seconds = predicted_column(target, "", "", ends).value(run.run);
      if (seconds && std::isfinite(*seconds)) {
        shown.push_back(&run);
        continue;
      }
      reason = seconds ? "does not reach " + text_of(target) : "its speed is not known";
    }
    remarks.push_back(fmt::format("{}, {}, seed {} is not shown: {}", results.rows[cell.row],
                                  results.groups[cell.group], run.seed, reason));
  }
  return shown;
}

Curve curve_over_links(const FinishedRun& run, const Target& target, int workers,
                       const EndsOverLinks& ends) {
  Curve curve;
  for (const double bandwidth : bandwidths()) {
    const ResultColumn seconds = predicted_column(target, "", "", ends(workers, bandwidth));
    curve.x.push_back(bandwidth);
    curve.y.push_back(seconds.value(run).value());
  }
  return curve;
}

}  // namespace

Figure network_figure(const Results& results, const Target& target, const std::vector<int>& workers,
                      const EndsOverLinks& ends) {
  Figure figure{.axes = {.x = "bandwidth", .y = "predicted_seconds"},
                .title = fmt::format("{}: predicted seconds to {}", results.title, text_of(target)),
                .rows = results.rows,
                .groups = {},
                .series = {},
                .remarks = {}};
  for (const std::string& group : results.groups)
    for (const int count : workers)
      figure.groups.push_back(fmt::format("{}, M = {}", group, count));
  for (const ResultCell& cell : results.cells) {
    const std::vector<const SeedRun*> shown =
        runs_to(target, results, cell, ends(workers.front(), bandwidths().back()), figure.remarks);
    if (shown.empty()) continue;
    const bool all = shown.size() == cell.runs.size();
    for (std::size_t i = 0; i < workers.size(); ++i) {
      std::vector<Curve> curves;
      curves.reserve(shown.size());
      for (const SeedRun* const run : shown)
        curves.push_back(curve_over_links(run->run, target, workers[i], ends));
      figure.series.push_back(
          {.row = cell.row,
           .group = cell.group * workers.size() + i,
           .note = all ? "" : fmt::format("{} of {} seeds", shown.size(), cell.runs.size()),
           .band = band_of(curves)});
    }
  }
  return figure;
}

}  // namespace localbatch
