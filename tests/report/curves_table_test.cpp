#include "report/curves_table.h"

#include <doctest/doctest.h>

#include <vector>

#include "report/results.h"
#include "report/run_files.h"

namespace localbatch {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

/// The lines of the table of all runs below the folder.
std::vector<std::string> table(const ScratchFolder& scratch, CurvesOf kind,
                               bool unfinished = false) {
  return lines_of(
      curves_table(collect_results({.sources = {scratch.path()}, .unfinished = unfinished}), kind));
}

}  // namespace

TEST_CASE("curves of all runs are one table, a row for each evaluation") {
  const ScratchFolder scratch;
  write_run(scratch.path(), {.folder = "a", .seed = 1});
  write_run(scratch.path(), {.folder = "b", .seed = 2, .accuracies = {0.75, 1}});
  const std::vector<std::string> lines = table(scratch, CurvesOf::kEvaluations);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] ==
        "experiment,folder,schedule,H,seed,round,samples,train_loss,test_loss,test_accuracy");
  CHECK(contains(lines[1], "tiny,"));
  CHECK(contains(lines[1], "/a,"));
  CHECK(lines[1].ends_with(",1,1,64,1,2.5,0.25"));
  CHECK(lines[2].ends_with(",1,2,128,0.5,2.5,0.5"));
  CHECK(contains(lines[3], "/b,"));
  CHECK(lines[3].ends_with(",2,1,64,1,2.5,0.75"));
  CHECK(lines[4].ends_with(",2,2,128,0.5,2.5,1"));
}

TEST_CASE("rounds are as many rows, with the columns that any run has and empty cells elsewhere") {
  const ScratchFolder scratch;
  write_run(scratch.path(), {.folder = "a", .accuracies = {0.5}});
  write_run(scratch.path(), {.folder = "b", .H = 8, .accuracies = {0.5}});
  write_text(scratch.path() / "b" / "rounds.csv", "round,samples,variance\n1,64,7\n");
  const std::vector<std::string> lines = table(scratch, CurvesOf::kRounds);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].ends_with(
      ",seed,round,samples,sync_interval,local_batch_size,loss,method_bytes,variance"));
  CHECK(contains(lines[1], ",H = 4,"));
  CHECK(lines[1].ends_with(",1,1,64,4,8,1.5,1000,"));
  CHECK(contains(lines[2], ",H = 8,"));
  CHECK(lines[2].ends_with(",1,1,64,,,,,7"));
}

TEST_CASE("runs that have not ended are in the table of curves when they are asked for") {
  const ScratchFolder scratch;
  write_run(scratch.path(), {.folder = "a", .seed = 1});
  write_run(scratch.path(), {.folder = "b", .seed = 2, .outcome = "", .rounds_left = 2});
  write_run(scratch.path(), {.folder = "c", .seed = 3, .outcome = "diverged", .rounds_left = 2});
  CHECK(table(scratch, CurvesOf::kEvaluations).size() == 1 + 4);
  CHECK(table(scratch, CurvesOf::kEvaluations, true).size() == 1 + 6);
}

}  // namespace localbatch
