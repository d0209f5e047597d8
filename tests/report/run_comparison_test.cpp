#include "report/run_comparison.h"

#include <doctest/doctest.h>

#include <fstream>

#include "core/error.h"
#include "report/run_files.h"

namespace localbatch {

namespace {

std::string comparison(const RunFiles& a, const RunFiles& b) {
  const ScratchFolder folder;
  write_run(folder.path(), a);
  write_run(folder.path(), b);
  return compare_runs(folder.path() / a.folder, folder.path() / b.folder);
}

}  // namespace

TEST_CASE("runs with equal settings and results are said to be equal, whatever time they took") {
  const std::string text = comparison({.folder = "a"}, {.folder = "b", .has_timing = false});
  CAPTURE(text);
  CHECK(contains(text, "The settings are equal."));
  CHECK(contains(text, "rounds.csv: equal\n"));
  CHECK(contains(text, "evaluations.csv: equal\n"));
}

TEST_CASE("the first cell that differs is named with its row, round and both values") {
  const std::string text =
      comparison({.folder = "a", .accuracies = {0.25, 0.5, 0.6}},
                 {.folder = "b", .seed = 2, .accuracies = {0.25, 0.5, 0.7}, .more = "new: 3\n"});
  CAPTURE(text);
  CHECK(contains(text,
                 "evaluations.csv: differ first in row 3 (round 3): test_accuracy is 0.6 and 0.7"));
  CHECK(contains(text, "rounds.csv: equal\n"));
  CHECK(contains(text, "seed     1          2"));
  CHECK(contains(text, "new      -          3"));
  CHECK(contains(text, "60.00       70.00"));  // final test accuracy, in percent
}

TEST_CASE("a run that is not done is compared as far as it is") {
  const std::string text =
      comparison({.folder = "a", .accuracies = {0.25, 0.5}},
                 {.folder = "b", .accuracies = {0.25}, .outcome = "", .rounds_left = 1});
  CAPTURE(text);
  CHECK(contains(text, "(unfinished, 50 %)"));
  CHECK(contains(text, "rounds.csv: equal as far as both go: 2 and 1 rows"));
}

TEST_CASE("a column of one run alone is said") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a"});
  write_run(folder.path(), {.folder = "b"});
  std::ofstream(folder.path() / "b" / "rounds.csv")
      << "round,samples,sync_interval,local_batch_size,loss,method_bytes,new\n"
         "1,64,4,8,1.5,1000,1\n2,128,4,8,1.5,1000,1\n";
  CHECK(contains(compare_runs(folder.path() / "a", folder.path() / "b"),
                 "rounds.csv: equal, in the columns that both have"));
}

TEST_CASE("curves that are a link to themselves are damaged, not missing") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a"});
  const std::filesystem::path curves = folder.path() / "a" / "evaluations.csv";
  std::filesystem::remove(curves);
  std::filesystem::create_symlink("evaluations.csv", curves);
  CHECK_THROWS_WITH_AS(compare_runs(folder.path() / "a", folder.path() / "a"),
                       doctest::Contains("evaluations.csv"), InputError);
}

TEST_CASE("what is not one run is refused") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "sweep/a"});
  write_run(folder.path(), {.folder = "sweep/b"});
  CHECK_THROWS_WITH_AS(compare_runs(folder.path() / "sweep", folder.path() / "sweep" / "a"),
                       doctest::Contains("holds 2 runs, expected the folder of one"), InputError);
  CHECK_THROWS_WITH_AS(compare_runs(folder.path() / "no", folder.path() / "sweep" / "a"),
                       doctest::Contains("holds 0 runs"), InputError);
}

}  // namespace localbatch
