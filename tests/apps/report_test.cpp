// 'localbatch table', 'plot' and 'report' as a person starts them.

#include <doctest/doctest.h>

#include "apps/program_fixture.h"
#include "core/json.h"

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
       {"| norm test, eta 0.8 | 1 of 2, 1 missing | 64 |", "seed 2: missing (--cell 2)",
        "seed 1: missing (--cell 3)", "tiny/H=1-seed=1-"})
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
  CHECK(
      plot.out ==
      "paper/train_loss_against_bytes.svg\n"
      "paper/train_loss_against_bytes.gp draws it again from paper/train_loss_against_bytes.csv\n");
  CHECK(contains(text_of(program.path("paper/train_loss_against_bytes.svg")), ">tiny<"));
  CHECK(program.run("plot results --y loss --x epoch --smooth 3 --write paper").status == 0);
  CHECK(fs::exists(program.path("paper/loss_against_epochs_smooth_3.svg")));
  CHECK(program.run("report results --write page.html").status == 0);
  CHECK(contains(text_of(program.path("page.html")), "<svg"));
  const Finished seconds = program.run(
      "plot sweep.yaml --target test_loss=100 --workers 2,8 --samples-per-second 9 --write paper");
  CHECK(seconds.status == 0);
  CHECK(fs::exists(program.path("paper/predicted_seconds_against_bandwidth.svg")));
  CHECK(contains(text_of(program.path("paper/predicted_seconds_against_bandwidth.csv")),
                 ",\"H = 1, M = 8\","));
}

TEST_CASE(
    "what files and names hold reaches no terminal, no page and no spreadsheet as a command") {
  const ProgramFixture program;
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml"))
      << "sweep: {row: {\"=1+1\": {seed: 1}, \"\u202eb\u009b31m\": {seed: 2}}}\n";
  REQUIRE(program.run("run sweep.yaml --cell 1").status == 0);
  const fs::path run = fs::directory_iterator(program.path("results/tiny"))->path();
  std::ofstream(run / "manifest.json") << R"({"commit": "\u001b[2J\u202e", "host": "a\u0007"})";
  fs::create_directory(program.path("results/tiny/\x1b[31m\x9b\u2066"));
  fs::copy(run, program.path("results/tiny/\x1b[31m\x9b\u2066"));
  std::string settings = text_of(run / "experiment.yaml");
  settings.replace(settings.find("seed: 1"), 7, "seed: 7");
  std::ofstream(program.path("results/tiny/\x1b[31m\x9b\u2066/experiment.yaml")) << settings;
  std::ofstream(program.path("reference.csv"))
      << "schedule,H,column,mean,source\n=1+1,1,rounds,3,\"\x1b]0;title\x07\"\n";
  std::string shown;
  for (const char* const arguments :
       {"status sweep.yaml", "status results", "table sweep.yaml --reference reference.csv",
        "table sweep.yaml --format latex",
        "table sweep.yaml --format csv --reference reference.csv", "table results",
        "plan sweep.yaml --samples-per-second 100", "plot sweep.yaml --write out",
        "table nothing\x1b[2J"}) {
    const Finished finished = program.run(arguments);
    CAPTURE(arguments);
    shown = finished.out;
    for (const std::string& line : finished.errors) shown += line;
    CHECK_FALSE(shown.empty());
    CHECK_FALSE(has_control_characters(shown));
    for (const char* const text : {"\u202e", "\u009b", "\u2066", "\x9b"})
      CHECK_FALSE(contains(shown, text));
  }
  CHECK(contains(shown, "nothing\\u001b[2J: no such file"));
  CHECK(contains(program.run("table sweep.yaml --format csv").out, "\n'=1+1,H = 1,1,1,"));
}

TEST_CASE("table and plot show a run that has not ended where they are asked to") {
  const ProgramFixture program;
  REQUIRE(program.run("run tiny.yaml").status == 0);
  const fs::path run = fs::directory_iterator(program.path("results/tiny"))->path();
  fs::remove(run / "summary.json");
  std::ofstream(run / "experiment.yaml")
      << text_of(program.path("tiny.yaml")) << "seed: 1\nsync_interval: {name: constant, H: 1}\n";
  std::string settings = text_of(run / "experiment.yaml");
  settings.replace(settings.find("max_samples: 64"), 15, "max_samples: 640");
  std::ofstream(run / "experiment.yaml") << settings;
  CHECK(
      contains(program.run("table results --columns samples").out, "| 0 of 1, 1 unfinished | - |"));
  CHECK(contains(program.run("table results --columns samples --unfinished").out,
                 "| 0 of 1, 1 unfinished | 64 (so far) |"));
  CHECK(program.run("plot results --y loss").status == 2);
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) return;
  CHECK(program.run("plot results --y loss --unfinished").status == 0);
  CHECK(contains(text_of(program.path("loss_against_samples.svg")), "unfinished, 10 %"));
}

TEST_CASE("table --network predicts the seconds to a target as plan --replay has them") {
  const ProgramFixture program;
  REQUIRE(program.run("run tiny.yaml").status == 0);
  const std::string asked =
      "table results --columns rounds --target test_loss=1e9 --network 1gbit,100mbit+50ms ";
  const Finished table = program.run(asked + "--samples-per-second 1000");
  CHECK(table.status == 0);
  CHECK(contains(table.out, "| predicted seconds, 1gbit | predicted seconds, 100mbit+50ms |"));
  CHECK(contains(table.out, "predicted, not measured: until the target is reached"));
  CHECK(contains(table.out, "one host per worker, with 1000 samples per second of a worker"));
  const Json figures = Json::parse(
      program.run(asked + "--samples-per-second 1000 --json").out)["cells"][0]["figures"];
  REQUIRE(program
              .run("plan --replay results --samples-per-second 1000 --bandwidth 100mbit "
                   "--latency 0.05 --json out.json")
              .status == 0);
  // The first evaluation is below 1e9.
  const Json replay = Json::parse(text_of(program.path("out.json")));
  double seconds = 0;
  for (const Json& round : replay["runs"][0]["each_round"])
    if (seconds == 0 && round["evaluated"] == true) seconds = round["predicted_end_seconds"];
  CHECK(figures["predicted_seconds_100mbit+50ms"]["mean"] == seconds);
  CHECK(figures["predicted_seconds_1gbit"]["mean"] < seconds);
  CHECK(program.run(asked).status == 0);  // by timing.csv
  CHECK(contains(program.run(asked + "--hosts 1").out, "by plan --replay on 1 host, with"));
}

TEST_CASE("mpirun: what every process would say is said once") {
  const ProgramFixture program;
  const auto lines_with = [](const std::vector<std::string>& lines, const std::string& text) {
    return std::ranges::count_if(lines,
                                 [&text](const std::string& line) { return contains(line, text); });
  };
  const Finished table = program.run("table tiny.yaml", LOCALBATCH_MPIRUN " 2");
  CHECK(table.status == 0);
  CHECK(lines_with(lines_of(table.out), "## tiny") == 1);
  CHECK(lines_with(lines_of(program.run("--version", LOCALBATCH_MPIRUN " 2").out), "localbatch") ==
        1);
  const Finished refused = program.run("plot tiny.yaml --x byte", LOCALBATCH_MPIRUN " 2");
  CHECK(refused.status == 2);
  CHECK(lines_with(refused.errors, "--x: found 'byte'") == 1);
}

TEST_CASE("table, plot and report refuse what they do not know") {
  const ProgramFixture program;
  check_refused(program, "table", {"table: an experiment file or a folder is missing"});
  check_refused(program, "table nothing.yaml", {"nothing.yaml"});
  check_refused(program, "table . --set seed=2", {"--set: found with folders alone"});
  check_refused(program, "table tiny.yaml --format latx", {"(did you mean 'latex'?)"});
  check_refused(program, "table tiny.yaml --columns round", {"(did you mean 'rounds'?)"});
  check_refused(program, "table tiny.yaml --reference no.csv", {"no.csv: no such file"});
  check_refused(program, "table tiny.yaml --target test_acuracy=1", {"mean 'test_accuracy'?)"});
  check_refused(program, "table tiny.yaml --target test_accuracy=80", {"a number from 0 to 1"});
  const std::string target = "table tiny.yaml --target test_loss=1 --network ";
  check_refused(program, "table tiny.yaml --network 1gbit", {"--network: found without --target"});
  check_refused(program, "table tiny.yaml --hosts 2", {"--hosts: found without --network"});
  check_refused(program, target + "1gbit,1gbti", {"'1gbti'", "(did you mean 'gbit'?)"});
  check_refused(program, target + "1gbit,1gbit", {"--network: found '1gbit' twice"});
  check_refused(program, target + "1gbit --hosts 0", {"--hosts: found 0"});
  check_refused(program, target + "1gbit --samples-per-second 0", {"found 0, expected a positive"});
  check_refused(program, "table tiny.yaml --workers 4", {"--workers: found without --network"});
  check_refused(program, target + "1gbit --workers 0", {"--workers: found 0"});
  check_refused(program, "plot tiny.yaml --controllers --y loss",
                {"--controllers: found with --y"});
  check_refused(program, "plot tiny.yaml --controllers --target test_loss=1",
                {"--controllers: found with --target"});
  check_refused(program, "plot tiny.yaml --hosts 2", {"--hosts: found without --target"});
  check_refused(program, "plot tiny.yaml --workers 2", {"--workers: found without --target"});
  const std::string seconds = "plot tiny.yaml --target test_loss=1 ";
  check_refused(program, seconds + "--workers 4,x", {"--workers: found 'x'"});
  check_refused(program, seconds + "--workers 4,", {"--workers: found ''"});
  check_refused(program, seconds + "--x rounds", {"--target: found with --x"});
  check_refused(program, seconds + "--smooth 3", {"--target: found with --smooth"});
  check_refused(program, "table tiny.yaml --against 'norm tst, eta 0.8'",
                {"--against: found", "(did you mean 'norm test, eta 0.8'?)"});
  check_refused(program, "table tiny.yaml --target test_loss=1 --curves curves.csv",
                {"--curves: found with --target"});
  check_refused(program, "plot tiny.yaml --x byte", {"--x: found 'byte'"});
  check_refused(program, "plot tiny.yaml --format gif", {"plot: --format: found 'gif'"});
  check_refused(program, "report tiny.yaml --write no/page.html", {"report: --write: found"});
}

TEST_CASE("table --against prints differences in every format and writes them to a file") {
  const ProgramFixture program;
  std::ofstream(program.path("pair.yaml"))
      << text_of(program.path("tiny.yaml"))
      << "sweep: {schedule: {small: {batch_size.initial: 4}, large: {batch_size.initial: 8}}}\n";
  REQUIRE(program.run("run pair.yaml").status == 0);
  const std::string table = "table pair.yaml --columns samples,rounds --against small";
  CHECK(contains(program.run(table).out, "Difference to small"));
  CHECK(contains(program.run(table + " --format latex").out, "Difference to small"));
  CHECK(contains(program.run(table + " --format csv").out,
                 "\n\nschedule,H,against,column,pairs,seeds,"));
  CHECK(program.run(table + " --write out").out ==
        "out: table.md, table.tex, table.csv, differences.csv\n");
  CHECK(
      contains(text_of(program.path("out/differences.csv")), "large,H = 1,small,samples,1,1,0,,"));
}

TEST_CASE("table --curves writes the curves of all runs to one file") {
  const ProgramFixture program;
  for (const char* const seed : {"1", "2"})
    CHECK(program.run(std::string("run tiny.yaml --set seed=") + seed).status == 0);
  const Finished finished = program.run("table results --curves curves.csv");
  CHECK(finished.status == 0);
  CHECK(finished.errors.empty());
  const std::vector<std::string> lines = lines_of(text_of(program.path("curves.csv")));
  CHECK(finished.out == "curves.csv: " + std::to_string(lines.size() - 1) + " points\n");
  CHECK(lines.front().starts_with("experiment,folder,schedule,H,seed,round,samples,"));
  CHECK(program.run("table results --curves rounds.csv --curves-of rounds").status == 0);
  CHECK(contains(text_of(program.path("rounds.csv")), ",local_batch_size,"));
  for (const char* const mistake :
       {"table results --curves-of rounds", "table results --curves c.csv --curves-of round",
        "table results --curves c.csv --write out", "table results --curves no/folder/c.csv"})
    CHECK_MESSAGE(program.run(mistake).status == 2, mistake);
  CHECK_FALSE(fs::exists(program.path("c.csv")));
}

TEST_CASE("what a command reads, and what a run wrote, is not written over") {
  const ProgramFixture program;
  REQUIRE(program.run("run tiny.yaml --quiet").status == 0);
  const fs::path run = fs::directory_iterator(program.path("results") / "tiny")->path();
  const std::string rounds = text_of(run / "rounds.csv");
  check_refused_beside(program, "table tiny.yaml --curves ./tiny.yaml", {"--curves", "is read"});
  check_refused_beside(program, "report tiny.yaml --write tiny.yaml", {"--write", "is read"});
  check_refused_beside(program, "plan tiny.yaml --samples-per-second 9 --json tiny.yaml",
                       {"--json", "is read"});
  const std::string curves = "'" + (run / "rounds.csv").string() + "'";
  check_refused_beside(program, "table results --curves " + curves, {"the folder of a run"});
  check_refused_beside(program, "plan --replay results --json a --csv a", {"--json has too"});
  CHECK(text_of(run / "rounds.csv") == rounds);
}

}  // namespace localbatch
