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
std::vector<const FinishedRun*> runs_to(const Target& target, const Results& results,
                                        const ResultCell& cell, const PredictedEnds& ends,
                                        std::vector<std::string>& remarks) {
  const Counted counted = counted_runs(results, cell);
  std::vector<const FinishedRun*> shown;
  for (const SeedRun& run : cell.runs) {
    if (!counts(run.run, counted)) {
      remarks.push_back(not_shown(results, cell, run, status_text(run.run)));
      continue;
    }
    const std::optional<double> seconds = predicted_seconds(run.run, target, ends);
    if (!seconds)
      remarks.push_back(not_shown(results, cell, run, "its speed is not known"));
    else if (!std::isfinite(*seconds))
      remarks.push_back(not_shown(results, cell, run, "does not reach " + text_of(target)));
    else
      shown.push_back(&run.run);
  }
  return shown;
}

Curve curve_over_links(const FinishedRun& run, const Target& target, int workers,
                       const EndsOverLinks& ends) {
  Curve curve;
  for (const double bandwidth : bandwidths()) {
    curve.x.push_back(bandwidth);
    curve.y.push_back(predicted_seconds(run, target, ends(workers, bandwidth)).value());
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
                .remarks = results.remarks};
  for (const std::string& group : results.groups)
    for (const int count : workers)
      figure.groups.push_back(fmt::format("{}, M = {}", group, count));
  for (const ResultCell& cell : results.cells) {
    const std::vector<const FinishedRun*> shown =
        runs_to(target, results, cell, ends(workers.front(), bandwidths().back()), figure.remarks);
    if (shown.empty()) continue;
    const std::string note =
        note_of(cell, counted_runs(results, cell), static_cast<int>(shown.size()));
    for (std::size_t i = 0; i < workers.size(); ++i) {
      std::vector<Curve> curves;
      curves.reserve(shown.size());
      for (const FinishedRun* const run : shown)
        curves.push_back(curve_over_links(*run, target, workers[i], ends));
      figure.series.push_back({.row = cell.row,
                               .group = cell.group * workers.size() + i,
                               .note = note,
                               .band = band_of(curves)});
    }
  }
  return figure;
}

}  // namespace localbatch
