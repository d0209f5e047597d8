// 'localbatch table', 'plot' and 'report' as a person starts them.

#include <doctest/doctest.h>

#include "apps/program_fixture.h"

namespace localbatch {

TEST_CASE("table and plot of a sweep of which one cell has run") {
  const ProgramFixture program;
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml")) << "sweep: {sync_interval.H: [1, 2], seed: [1, 2]}\n";
  REQUIRE(program.run("run sweep.yaml --cell 1").status == 0);
  const Finished table = program.run("table sweep.yaml --columns samples,bytes");
  CHECK(table.status == 0);
  CHECK(table.errors.empty());
  for (const char* const part :
       {"| norm test, eta 0.8 | 1 of 2 [1] | 70 |", "cell 2 (seed 2) missing",
        "cell 3 (seed 1) missing", "tiny/H=1-seed=1-"})
    CHECK_MESSAGE(contains(table.out, part), table.out);
  CHECK(contains(program.run("table results --format csv").out,
                 "\"norm test, eta 0.8\",H = 1,1,1,1,"));
  CHECK(program.run("table sweep.yaml --write paper").status == 0);
  for (const char* const name : {"table.md", "table.tex", "table.csv"})
    CHECK(fs::exists(program.path("paper") / name));
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) {
    MESSAGE("skipped: gnuplot is not installed");
    return;
  }
  const Finished plot = program.run("plot sweep.yaml --y train_loss --x bytes --write paper");
  CHECK(plot.status == 0);
  CHECK(fs::exists(program.path("paper/train_loss_against_bytes.svg")));
  CHECK(fs::exists(program.path("paper/train_loss_against_bytes.gp")));
  CHECK(plot.errors.size() == 3);  // cells that are not shown
  CHECK(program.run("report results --write page.html").status == 0);
  CHECK(contains(text_of(program.path("page.html")), "<svg"));
}

TEST_CASE("table, plot and report refuse what they do not know") {
  const ProgramFixture program;
  check_refused(program, "table", {"table: an experiment file or a folder is missing"});
  check_refused(program, "table nothing.yaml", {"nothing.yaml"});
  check_refused(program, "table tiny.yaml --format latx", {"(did you mean 'latex'?)"});
  check_refused(program, "table tiny.yaml --columns round", {"(did you mean 'rounds'?)"});
  check_refused(program, "table tiny.yaml --reference no.csv", {"no.csv: no such file"});
  check_refused(program, "plot tiny.yaml --x byte", {"--x: found 'byte'"});
  check_refused(program, "plot tiny.yaml --format gif", {"plot: --format: found 'gif'"});
  check_refused(program, "report tiny.yaml --write no/page.html", {"report: --write: found"});
}

}  // namespace localbatch
