// What controllers that look on want, beside what branches have measured, from small files.

#include "report/controllers_figure.h"

#include <doctest/doctest.h>

#include "report/gnuplot.h"
#include "report/run_files.h"

namespace localbatch {

namespace {

Figure figure_of(const std::filesystem::path& folder, int smooth = 1) {
  return controllers_figure(collect_results({.sources = {folder}}), smooth);
}

const Series* find_series(const Figure& figure, const std::string& name) {
  for (const Series& series : figure.series)
    if (figure.rows[series.row] == name) return &series;
  return nullptr;
}

const char* const kControllers =
    "round,samples,controller,settings,wanted_local_batch_size\n"
    "1,64,1,norm_test eta=0.8,10\n"
    "1,64,2,cabs scale=20,0\n"
    "2,128,1,norm_test eta=0.8,\n"
    "2,128,2,cabs scale=20,inf\n"
    "3,192,1,norm_test eta=0.8,40\n"
    "3,192,2,cabs scale=20,7.5\n"
    "4,256,1,norm_test eta=0.8,20\n"
    "4,256,2,cabs scale=20,8\n";

}  // namespace

TEST_CASE("each controller has a line of what it wants, where it wants something") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.1, 0.2, 0.3, 0.4}});
  write_text(folder.path() / "a" / "controllers.csv", kControllers);
  const Figure figure = figure_of(folder.path());
  CHECK(figure.rows == std::vector<std::string>{"norm_test eta=0.8", "cabs scale=20", "used"});
  CHECK(figure.groups == std::vector<std::string>{"constant 8, H = 4, seed 1"});
  CHECK(find_series(figure, "norm_test eta=0.8")->band.x == std::vector<double>{64, 192, 256});
  CHECK(find_series(figure, "norm_test eta=0.8")->band.mean == std::vector<double>{10, 40, 20});
  // Nothing is drawn as one sample, and everything not at all.
  CHECK(find_series(figure, "cabs scale=20")->band.x == std::vector<double>{64, 192, 256});
  CHECK(find_series(figure, "cabs scale=20")->band.mean == std::vector<double>{1, 7.5, 8});
  CHECK(find_series(figure, "used")->band.mean.front() == 8);
  CHECK(figure.remarks.empty());
  const Figure smooth = figure_of(folder.path(), 3);
  CHECK(find_series(smooth, "norm_test eta=0.8")->band.mean[1] == 20);
  CHECK(find_series(smooth, "cabs scale=20")->band.mean[1] == 8);  // of 1, infinity, 7.5 and 8
  CHECK(contains(smooth.title, "moving median of 3 rounds"));
  CHECK(contains(script_of(figure, {"svg"}), "set logscale y"));
}

TEST_CASE("what branches have measured stands beside it, and runs without controllers are named") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.1, 0.2, 0.3, 0.4}});
  write_run(folder.path(), {.folder = "b", .local_batch_size = 16});
  write_text(folder.path() / "a" / "controllers.csv", kControllers);
  write_text(folder.path() / "a" / "critical_batch_sizes.csv",
             "at_samples,critical_local_batch_size,lowest,highest,repeats\n"
             "64,32,16,64,2\n192,128,128,128,2\n");
  const Figure figure = figure_of(folder.path());
  const Series* const critical = find_series(figure, "measured critical");
  REQUIRE(critical != nullptr);
  CHECK(critical->band.x == std::vector<double>{64, 192});
  CHECK(critical->band.mean == std::vector<double>{32, 128});
  CHECK(critical->band.min == std::vector<double>{16, 128});
  CHECK(critical->band.max == std::vector<double>{64, 128});
  CHECK(critical->band.n == 2);
  CHECK(contains(script_of(figure, {"svg"}), "band: smallest to largest of repeats"));
  CHECK(figure.remarks ==
        std::vector<std::string>{
            "constant 16, H = 4, seed 1 is not shown: it has no controllers.csv"});
}

TEST_CASE("runs that have not ended are named, and shown where somebody asks for them") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .outcome = "", .rounds_left = 6});
  write_text(folder.path() / "a" / "controllers.csv", kControllers);
  const Figure figure = figure_of(folder.path());
  CHECK(figure.series.empty());
  REQUIRE(figure.remarks.size() == 1);
  CHECK(contains(figure.remarks[0], "unfinished, 25 %"));
  const Results all = collect_results({.sources = {folder.path()}, .unfinished = true});
  CHECK(contains(controllers_figure(all, 1).groups.at(0), "unfinished, 25 %"));
}

TEST_CASE("a damaged file of controllers is refused by name") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a"});
  const std::filesystem::path path = folder.path() / "a" / "controllers.csv";
  write_text(path, "round,samples,settings\n1,64,cabs\n");
  CHECK(contains(input_error([&] { figure_of(folder.path()); }), path.string()));
  write_text(path, "round,samples,settings,wanted_local_batch_size\n1,64,cabs,many\n");
  CHECK(contains(input_error([&] { figure_of(folder.path()); }), path.string() + ":2"));
}

}  // namespace localbatch
