// Curves, from CSV files to pictures.

#include <doctest/doctest.h>

#include <cstdlib>

#include "core/files.h"
#include "report/curves_data.h"
#include "report/gnuplot.h"
#include "report/html_page.h"
#include "report/results.h"
#include "report/run_files.h"

namespace localbatch {

namespace {

/// Two seeds of one schedule and one of another, at two H; one that diverged, one unfinished.
Results results_in(const std::filesystem::path& folder) {
  write_run(folder, {.folder = "a1", .seed = 1, .accuracies = {0.2, 0.4}});
  write_run(folder, {.folder = "a2", .seed = 2, .accuracies = {0.3, 0.6}});
  write_run(
      folder,
      {.folder = "b", .controller = "  name: norm_test\n  eta: 0.8\n", .accuracies = {0.1, 0.7}});
  write_run(folder, {.folder = "c1", .H = 8, .seed = 1, .accuracies = {0.5, 0.5}});
  write_run(folder, {.folder = "c2", .H = 8, .seed = 2, .outcome = "diverged"});
  write_run(
      folder,
      {.folder = "c3", .H = 8, .seed = 3, .accuracies = {0.5}, .outcome = "", .rounds_left = 1});
  return collect_results({.sources = {folder}});
}

bool has_gnuplot() {
  const bool found = std::system("command -v gnuplot >/dev/null 2>&1") == 0;
  if (!found) MESSAGE("skipped: gnuplot is not installed");
  return found;
}

}  // namespace

TEST_CASE("a band is taken where all curves are, and interpolated where one has no point") {
  const Band same = band_of({{{1, 2}, {10, 20}}, {{1, 2}, {30, 60}}});
  CHECK(same.x == std::vector<double>{1, 2});
  CHECK(same.mean == std::vector<double>{20, 40});
  CHECK(same.min == std::vector<double>{10, 20});
  CHECK(same.max == std::vector<double>{30, 60});
  const Band other = band_of({{{0, 4}, {0, 8}}, {{1, 2, 5}, {0, 4, 1}}});
  CHECK(other.x == std::vector<double>{1, 2, 4});
  CHECK(other.mean == std::vector<double>{1, 4, 5});  // (2 + 0)/2, (4 + 4)/2, (8 + 2)/2
  CHECK(other.n == 2);
  CHECK(band_of({}).x.empty());
}

TEST_CASE("points on a flat stretch of a line are left out") {
  const Band band = without_flat_points(band_of(
      {{{1, 2, 3, 4, 5, 6}, {8, 8, 8, 9, 9, 9}}, {{1, 2, 3, 4, 5, 6}, {8, 8, 8, 9, 9, 7}}}));
  CHECK(band.x == std::vector<double>{1, 3, 4, 5, 6});
  CHECK(band.mean == std::vector<double>{8, 8, 9, 9, 8});
  CHECK(band.min == std::vector<double>{8, 8, 9, 9, 7});
  CHECK(band.n == 2);
}

TEST_CASE("curves against samples, rounds, seconds and bytes") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a"});
  const FinishedRun run = read_finished_run(folder.path() / "a", "a");
  const auto x = [&run](const std::string& name) {
    return curve_of(run, {.x = name, .y = "test_accuracy"})->x;
  };
  CHECK(x("samples") == std::vector<double>{64, 128});
  CHECK(x("rounds") == std::vector<double>{1, 2});
  CHECK(x("seconds") == std::vector<double>{2, 4});
  CHECK(x("bytes") == std::vector<double>{1000, 2000});
  CHECK(curve_of(run, {.x = "rounds", .y = "test_accuracy"})->y == std::vector<double>{0.25, 0.5});
  CHECK(curve_of(run, {.x = "rounds", .y = "local_batch_size"})->y == std::vector<double>{8, 8});
  CHECK_FALSE(curve_of(run, {.x = "rounds", .y = "drift"}));
}

TEST_CASE("the data of a figure, to the letter") {
  const ScratchFolder folder;
  const Figure figure =
      make_figure(results_in(folder.path()), {.x = "rounds", .y = "test_accuracy"});
  CHECK(data_of(figure) ==
        "series,H,schedule,x,mean,min,max,n\n"
        "1,H = 4,constant 8,1,25,20,30,2\n"
        "1,H = 4,constant 8,2,50,40,60,2\n"
        "2,H = 8,constant 8,1,50,50,50,1\n"
        "2,H = 8,constant 8,2,50,50,50,1\n"
        "3,H = 4,\"norm test, eta 0.8\",1,10,10,10,1\n"
        "3,H = 4,\"norm test, eta 0.8\",2,70,70,70,1\n");
  REQUIRE(figure.remarks.size() == 2);
  CHECK(figure.remarks[0] == "constant 8, H = 8, seed 2 is not shown: diverged");
  CHECK(figure.remarks[1] == "constant 8, H = 8, seed 3 is not shown: unfinished, 50 %");
  CHECK(figure.series[1].note == "1 of 3 seeds");
}

TEST_CASE("numbers along an axis leave room for each other") {
  const ScratchFolder folder;
  const Results results = results_in(folder.path());
  const auto script = [&results](const std::string& x) {
    return script_of(make_figure(results, {.x = x, .y = "test_accuracy"}), {"svg"});
  };
  CHECK(contains(script("samples"), "set xtics 0.05\n"));  // to 0.128 thousand
  CHECK(contains(script("rounds"), "set xtics 0.5\n"));    // to 2
}

TEST_CASE("bytes are on one logarithmic axis, for H changes them by orders of magnitude") {
  const ScratchFolder folder;
  const Results results = results_in(folder.path());
  const std::string script =
      script_of(make_figure(results, {.x = "bytes", .y = "test_accuracy"}), {"svg"});
  CHECK(contains(script, "set logscale x 10\nset xrange [0.000833333:0.0024]\n"));
  CHECK(contains(script, "set xtics (0.0009, 0.001, 0.002)\n"));
  CHECK_FALSE(contains(script, "set xrange [0:*]"));
}

TEST_CASE("a panel without a run leaves a logarithmic axis to the others") {
  const ScratchFolder folder;
  Figure figure = make_figure(results_in(folder.path()), {.x = "bytes", .y = "test_accuracy"});
  figure.groups.emplace_back("H = 64");
  CHECK_FALSE(contains(script_of(figure, {"svg"}), "set xtics autofreq"));
}

TEST_CASE("names of axes are checked") {
  CHECK(contains(input_error([] { check_axes({.x = "sample", .y = "test_loss"}); }),
                 "--x: found 'sample', allowed is samples | rounds | seconds | bytes (did you"));
  CHECK(contains(input_error([] { check_axes({.x = "bytes", .y = "test_los"}); }),
                 "(did you mean 'test_loss'?)"));
}

TEST_CASE("pictures show every schedule and have the same bytes each time") {
  if (!has_gnuplot()) return;
  const ScratchFolder folder;
  for (const std::string y : {"test_accuracy", "local_batch_size"}) {
    const Figure figure = make_figure(results_in(folder.path() / "runs"), {.x = "bytes", .y = y});
    const std::vector<std::string> formats{"svg", "png", "pdf"};
    for (const char* const name : {"one", "two"}) {
      std::filesystem::create_directories(folder.path() / name);
      draw(figure, formats, folder.path() / name);
      usleep(1'100'000);  // dates would differ
    }
    for (const std::string ending : {"svg", "png", "pdf", "csv", "gp"}) {
      const std::string file = y + "_against_bytes." + ending;
      const std::string bytes = read_text(folder.path() / "one" / file);
      CHECK_FALSE(bytes.empty());
      const bool is_same = bytes == read_text(folder.path() / "two" / file);
      CHECK_MESSAGE(is_same, ending);
    }
    const std::string svg = read_text(folder.path() / "one" / (y + "_against_bytes.svg"));
    for (const char* const text : {"constant 8 (H = 8: 1 of 3 seeds)", "norm test, eta 0.8",
                                   "H = 4", "H = 8", "smallest to largest", "MB given"})
      CHECK_MESSAGE(contains(svg, text), text);
    CHECK_FALSE(contains(svg, folder.path().string()));
  }
}

TEST_CASE("gnuplot's own failures are told, and where to get it") {
  if (!has_gnuplot()) return;
  const ScratchFolder folder;
  write_text(folder.path() / "a.gp", "plot 'no such file'\n");
  CHECK_THROWS_AS(run_gnuplot(folder.path(), "a.gp"), SystemError);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", folder.path().c_str(), 1);
  CHECK(contains(input_error([&] { run_gnuplot(folder.path(), "a.gp"); }), "gnuplot-nox"));
  ::setenv("PATH", path.c_str(), 1);
}

TEST_CASE("a page holds table, curves, settings, machines and all runs") {
  const ScratchFolder folder;
  const Results results = results_in(folder.path() / "runs");
  const std::string page = html_page(results, page_of(make_table(results, chosen_columns(""))),
                                     {{.caption = "a < b", .svg = "<svg></svg>"}});
  for (const char* const text :
       {"<title>runs</title>", "<td>50.00 ± 14.14</td>", "<svg></svg>", "a &lt; b",
        "<td>sync_interval.H</td><td>4 | 8</td><td>4</td>", "<td>workers</td><td>2</td>",
        "<td>host</td><td>desk</td>", "<td>unfinished, 50 %</td>", "<td>runs/c3</td>",
        "<td>abc123</td>"})
    CHECK_MESSAGE(contains(page, text), text);
  CHECK_FALSE(contains(page, folder.path().string()));
  CHECK_FALSE(contains(page, "http://"));
}

}  // namespace localbatch
