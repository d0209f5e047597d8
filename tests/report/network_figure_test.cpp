// Predicted seconds against bandwidths, for ends of rounds that are given by hand.

#include "report/network_figure.h"

#include <doctest/doctest.h>

#include "report/gnuplot.h"
#include "report/run_files.h"

namespace localbatch {

namespace {

constexpr double kGigabit = 1e9 / 8;

/// A round takes as many seconds as there are workers, and 1 at 1 Gbit/s.
PredictedEnds ends_by_hand(int workers, double bandwidth) {
  return [=](const FinishedRun&) {
    std::map<double, double> ends;
    for (int round = 1; round <= 4; ++round) ends[round] = round * (workers + kGigabit / bandwidth);
    return std::optional(ends);
  };
}

}  // namespace

TEST_CASE("seconds to a target fall with bandwidth, in a panel for each number of workers") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "early", .accuracies = {0.4, 0.5, 0.6, 0.6}});
  write_run(folder.path(), {.folder = "late", .seed = 2, .accuracies = {0.4, 0.4, 0.4, 0.5}});
  write_run(folder.path(), {.folder = "never", .seed = 3, .accuracies = {0.1, 0.5, 0.4, 0.4}});
  write_run(folder.path(),
            {.folder = "nobody", .local_batch_size = 16, .accuracies = {0.1, 0.1, 0.1, 0.1}});
  const Figure figure = network_figure(collect_results({.sources = {folder.path()}}),
                                       parse_target("test_accuracy=0.5"), {2, 8}, ends_by_hand);
  CHECK(figure.groups == std::vector<std::string>{"H = 4, M = 2", "H = 4, M = 8"});
  REQUIRE(figure.series.size() == 2);
  for (std::size_t panel = 0; panel < 2; ++panel) {
    const Series& series = figure.series[panel];
    CHECK(series.group == panel);
    CHECK(series.note == "2 of 3 seeds");
    CHECK(series.band.n == 2);
    CHECK(series.band.x.front() == doctest::Approx(kGigabit / 1000));
    CHECK(series.band.x.back() == doctest::Approx(100 * kGigabit));
    const int workers = panel == 0 ? 2 : 8;
    for (std::size_t i = 0; i < series.band.x.size(); ++i) {
      const double round = workers + kGigabit / series.band.x[i];
      CHECK(series.band.min[i] == doctest::Approx(2 * round));
      CHECK(series.band.mean[i] == doctest::Approx(3 * round));
      CHECK(series.band.max[i] == doctest::Approx(4 * round));
    }
  }
  // What is not drawn is not in the legend.
  const std::string script = script_of(figure, {"svg"});
  CHECK(contains(script, "title 'constant 8 "));
  CHECK_FALSE(contains(script, "title 'constant 16"));
  CHECK(figure.remarks ==
        std::vector<std::string>{
            "constant 8, H = 4, seed 3 is not shown: does not reach test_accuracy >= 0.5",
            "constant 16, H = 4, seed 1 is not shown: does not reach test_accuracy >= 0.5"});
}

TEST_CASE("a run of which nobody knows its speed is not in the figure") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.5}});
  const Figure figure = network_figure(collect_results({.sources = {folder.path()}}),
                                       parse_target("test_accuracy=0.5"), {2}, [](int, double) {
                                         return [](const FinishedRun&) {
                                           return std::optional<std::map<double, double>>();
                                         };
                                       });
  CHECK(figure.series.empty());
  CHECK(figure.remarks ==
        std::vector<std::string>{"constant 8, H = 4, seed 1 is not shown: its speed is not known"});
}

}  // namespace localbatch
