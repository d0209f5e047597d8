// Curves, from CSV files to pictures.

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

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
  CHECK(curve_of(run, {.x = "rounds", .y = "local_batch_size"})->y == std::vector<double>{8, 8, 8});
  CHECK_FALSE(curve_of(run, {.x = "rounds", .y = "drift"}));
}

TEST_CASE("what a round begins with stands where the round begins, and holds until the next") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.1, 0.2, 0.3}});
  write_text(folder.path() / "a/rounds.csv",
             "round,samples,epoch,sync_interval,local_batch_size,learning_rate,loss,method_bytes\n"
             "1,64,0.5,4,8,0.2,1.5,1000\n2,128,1,4,8,0.1,1.25,1000\n3,256,2,4,16,0.1,1,1000\n");
  const FinishedRun run = read_finished_run(folder.path() / "a", "a");
  const auto curve = [&run](const std::string& x, const std::string& y) {
    return *curve_of(run, {.x = x, .y = y});
  };
  CHECK(curve("samples", "local_batch_size").x == std::vector<double>{0, 64, 128, 256});
  CHECK(curve("samples", "local_batch_size").y == std::vector<double>{8, 8, 16, 16});
  CHECK(curve("samples", "learning_rate").y == std::vector<double>{0.2, 0.1, 0.1, 0.1});
  CHECK(curve("rounds", "sync_interval").x == std::vector<double>{0, 1, 2, 3});
  CHECK(curve("samples", "loss").x == std::vector<double>{64, 128, 256});  // known at the end only
  // A logarithmic axis begins where the first round ends.
  CHECK(curve("bytes", "local_batch_size").x == std::vector<double>{1000, 2000, 3000});
  CHECK(curve("bytes", "local_batch_size").y == std::vector<double>{8, 16, 16});
  const Band steps = without_flat_points(band_of({curve("samples", "local_batch_size")}));
  CHECK(steps.x == std::vector<double>{0, 128, 128, 256});
  CHECK(steps.mean == std::vector<double>{8, 8, 16, 16});
  const Curve low{{0, 10}, {1, 1}, true}, late{{0, 4, 10}, {1, 3, 3}, true};
  CHECK(band_of({low, late}).x == std::vector<double>{0, 4, 4, 10, 10});
  CHECK(band_of({low, late}).mean == std::vector<double>{1, 1, 2, 2, 2});  // no slope before 4
  CHECK(curve("epochs", "loss").x == std::vector<double>{0.5, 1, 2});
  CHECK(curve("local_steps", "test_accuracy").x == std::vector<double>{4, 8, 12});
}

TEST_CASE("a moving median takes spikes away and says so in the title") {
  const Curve curve{{1, 2, 3, 4, 5}, {1, 9, 2, 3, 4}};
  CHECK(smoothed(curve, 3).y == std::vector<double>{5, 2, 3, 3, 3.5});
  CHECK(smoothed(curve, 1).y == curve.y);
  const ScratchFolder folder;
  const Results results = results_in(folder.path() / "runs");
  const FigureAxes axes{.x = "rounds", .y = "loss", .smooth = 5};
  CHECK(make_figure(results, axes).title == "runs: tiny (moving median of 5 points)");
  CHECK(name_of(axes) == "loss_against_rounds_smooth_5");
  CHECK(contains(script_of(make_figure(results, axes), {"svg"}),
                 "set multiplot title 'runs: tiny (moving median of 5 points)'"));
  CHECK(contains(input_error([] { checked_axes({.x = "rounds", .y = "loss", .smooth = 4}); }),
                 "--smooth: found 4, allowed is an odd number"));
}

TEST_CASE("runs that have not ended are drawn where somebody asks for them, and marked") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .outcome = "", .rounds_left = 2});
  Results results = collect_results({.sources = {folder.path()}});
  CHECK(make_figure(results, {.x = "rounds", .y = "loss"}).series.empty());
  results.unfinished = true;
  const Figure figure = make_figure(results, {.x = "rounds", .y = "loss"});
  REQUIRE(figure.series.size() == 1);
  CHECK(figure.series[0].note == "unfinished, 50 %");
  CHECK(figure.remarks.empty());
}

TEST_CASE("seeds that have nothing of an axis in common are said not to be drawn") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.1, 0.2, 0.3, 0.4}});
  write_run(folder.path(), {.folder = "b", .seed = 2, .accuracies = {0.1, 0.2, 0.3, 0.4}});
  write_text(folder.path() / "b" / "timing.csv",
             "round,total_seconds\n1,100\n2,101\n3,102\n4,103\n");
  const Figure figure = make_figure(collect_results({.sources = {folder.path()}}),
                                    {.x = "seconds", .y = "test_accuracy"});
  CHECK(figure.series.empty());
  CHECK(figure.remarks ==
        std::vector<std::string>{
            "constant 8, H = 4 is not shown: its seeds have no seconds in common"});
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
  CHECK(contains(script("samples"), "set xtics 0.05\n"));   // to 0.128 thousand
  CHECK(contains(script("rounds"), "set xtics 0.5\n"));     // to 2
  CHECK(contains(script("rounds"), "set xrange [0:2]\n"));  // not to a mark behind the data
}

TEST_CASE("on a PNG the key's letters count for what they take there, so no entry is left out") {
  const ScratchFolder folder;
  Figure figure = make_figure(results_in(folder.path()), {.x = "samples", .y = "test_accuracy"});
  for (Series& series : figure.series) series.note.clear();
  figure.rows.front() = std::string(60, 'm');
  CHECK(contains(script_of(figure, {"png"}), "width (format eq 'png' ? -12 : 0)"));
}

namespace {

/// A figure of one curve.
Figure figure_of(const std::vector<double>& y, const std::string& name = "loss") {
  Curve curve{.x = {}, .y = y};
  for (std::size_t i = 0; i < y.size(); ++i) curve.x.push_back(static_cast<double>(i + 1));
  return {.axes = {.x = "rounds", .y = name},
          .title = "tiny",
          .rows = {"constant 8"},
          .groups = {"H = 4"},
          .series = {{.row = 0, .group = 0, .note = {}, .band = band_of({curve})}},
          .remarks = {}};
}

}  // namespace

TEST_CASE("an axis has two ends, also for curves that differ in the seventh digit") {
  for (const std::vector<double>& y : {std::vector{2.302585, 2.3025851},
                                       {1e6, 1e6 + 0.01},
                                       {5.0, 5.0},
                                       {0.0, 0.0},
                                       {-1e300, 1e308}}) {
    const std::string script = script_of(figure_of(y), {"svg"});
    const std::size_t begin = script.find("set yrange [") + 12, colon = script.find(':', begin);
    CAPTURE(script.substr(begin, 40));
    CHECK(std::stod(script.substr(begin)) < std::stod(script.substr(colon + 1)));
  }
}

TEST_CASE("long numbers along the vertical axis have room, short ones do not take it") {
  const auto left = [](const Figure& figure) {
    const std::string script = script_of(figure, {"png"});
    const std::string size = script.substr(script.find("set terminal svg size ") + 22);
    const std::string margin = script.substr(script.find("set lmargin at screen ") + 22);
    return std::stod(size) * std::stod(margin);
  };
  CHECK(left(figure_of({10, 90})) == doctest::Approx(76).epsilon(0.01));
  CHECK(left(figure_of({1.25e-5, 3.75e-5}, "learning_rate")) > 100);
}

TEST_CASE("up to three panels stand beside each other, four as a square") {
  const auto places = [](std::size_t panels, const std::string& margin) {
    Figure figure = figure_of({1, 2});
    figure.groups.resize(panels, "H = 8");
    const std::string script = script_of(figure, {"svg"}), key = "set " + margin + " at screen 0.";
    std::set<std::string> found;
    for (std::size_t at = 0; (at = script.find(key, at)) != std::string::npos; ++at)
      found.insert(script.substr(at + key.size(), 5));
    return found.size();
  };
  struct Grid {
    std::size_t panels, columns, rows;
  };
  for (const Grid& grid : {Grid{1, 1, 1}, {2, 2, 1}, {3, 3, 1}, {4, 2, 2}, {5, 3, 2}, {7, 3, 3}}) {
    CAPTURE(grid.panels);
    CHECK(places(grid.panels, "lmargin") == grid.columns);
    CHECK(places(grid.panels, "bmargin") == grid.rows);
  }
}

TEST_CASE("a legend explains bands where there are some") {
  const ScratchFolder folder;
  CHECK_FALSE(contains(script_of(figure_of({1, 2}), {"svg"}), "band"));
  CHECK(contains(
      script_of(make_figure(results_in(folder.path()), {.x = "rounds", .y = "loss"}), {"svg"}),
      "band: smallest to largest"));
}

TEST_CASE("names with quotes, braces and backslashes are drawn as they are") {
  Figure figure = figure_of({1, 2});
  const std::vector<std::string> rows{"'quoted' first", "two ''quotes", "a \\",
                                      "{ `date` \"x\" $1 @y"};
  figure.rows = rows;
  while (figure.series.size() < rows.size()) {
    figure.series.push_back(figure.series.front());
    figure.series.back().row = figure.series.size() - 1;
  }
  figure.groups = {"group \\"};
  figure.remarks = {"a remark that ends with \\", "\x1b[2J and two\nlines"};
  CHECK_FALSE(contains(script_of(figure, {"svg"}), "\\\n  set lmargin"));
  CHECK_FALSE(contains(script_of(figure, {"svg"}), "\x1b"));
  if (!has_gnuplot()) return;
  const std::string svg = inline_svg(figure, "p");
  for (const char* const text :
       {"'quoted' first", "two ''quotes", "a \\<", "`date`", "$1 @y", "group \\", "rounds"})
    CHECK_MESSAGE(contains(svg, text), text);
}

TEST_CASE("bytes are on one logarithmic axis, for H changes them by orders of magnitude") {
  const ScratchFolder folder;
  const Results results = results_in(folder.path());
  const std::string script =
      script_of(make_figure(results, {.x = "bytes", .y = "test_accuracy"}), {"svg"});
  CHECK(contains(script, "set logscale x 10\nset xrange [0.000833333:0.0024]\n"));
  CHECK(contains(script, "set xtics (0.0009, 0.001, 0.002)\n"));
  CHECK_FALSE(contains(script, "set xrange [0:"));
}

TEST_CASE("a panel without a run leaves a logarithmic axis to the others") {
  const ScratchFolder folder;
  Figure figure = make_figure(results_in(folder.path()), {.x = "bytes", .y = "test_accuracy"});
  figure.groups.emplace_back("H = 64");
  CHECK_FALSE(contains(script_of(figure, {"svg"}), "set xtics autofreq"));
}

TEST_CASE("names of axes are checked") {
  CHECK(contains(
      input_error([] { checked_axes({.x = "sample", .y = "test_loss"}); }),
      "--x: found 'sample', allowed is samples | rounds | epochs | local_steps | seconds | "
      "bytes (did you"));
  CHECK(checked_axes({.x = "round", .y = "loss"}).x == "rounds");
  CHECK(checked_axes({.x = "epoch", .y = "loss"}).x == "epochs");
  CHECK(contains(input_error([] { checked_axes({.x = "bytes", .y = "test_los"}); }),
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
      const bool has_hidden_date = ending == "pdf" && !contains(bytes, "/CreationDate (D:2000");
      CHECK_MESSAGE((is_same || has_hidden_date), ending);
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
  const char* const searched = std::getenv("PATH");
  REQUIRE(searched != nullptr);
  const std::string path = searched;
  ::setenv("PATH", folder.path().c_str(), 1);
  CHECK(contains(input_error([&] { run_gnuplot(folder.path(), "a.gp"); }), "gnuplot-nox"));
  ::setenv("PATH", path.c_str(), 1);
}

TEST_CASE("a page says that all runs have a setting only where all have it") {
  const ScratchFolder folder;
  const Results results = results_in(folder.path() / "runs");
  const std::string page = html_page(results, {}, {});
  const std::size_t all = page.find("Settings that all runs have");
  REQUIRE(all != std::string::npos);
  CHECK(contains(page.substr(0, all), "<td>batch_size_controller.eta</td><td>-</td><td>0.8</td>"));
  CHECK_FALSE(contains(page.substr(all), "batch_size_controller.eta"));
  CHECK(contains(page.substr(all), "<td>workers</td><td>2</td>"));
}

TEST_CASE("a page holds table, curves, settings, machines and all runs") {
  const ScratchFolder folder;
  const Results results = results_in(folder.path() / "runs");
  const std::string page = html_page(results, page_of(make_table(results, chosen_columns(""))),
                                     {{.caption = "a < b", .svg = "<svg></svg>"}});
  for (const char* const text :
       {"<title>runs: tiny</title>", "<td>50.00 ± 14.14</td>", "<svg></svg>", "a &lt; b",
        "<td>sync_interval.H</td><td>4 | 8</td><td>4</td>", "<td>workers</td><td>2</td>",
        "<td>host</td><td>desk</td>", "<td>unfinished, 50 %</td>", "<td>runs/c3</td>",
        "<td>abc123</td>"})
    CHECK_MESSAGE(contains(page, text), text);
  CHECK_FALSE(contains(page, folder.path().string()));
  CHECK_FALSE(contains(page, "http://"));
}

}  // namespace localbatch
