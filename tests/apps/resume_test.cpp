// Options of `run` about runs that are stopped and go on, as a person gives them.

#include "apps/program_fixture.h"

namespace localbatch {

TEST_CASE("help lists the options of runs that are stopped and go on") {
  const std::string help = ProgramFixture().run("run --help").out;
  for (const char* const option : {"--resume ", "--resume-from DIR", "--checkpoint-seconds S",
                                   "--checkpoint-rounds K", "--time-limit TIME", "--stall-limit S"})
    CHECK_MESSAGE(contains(help, option), option);
  CHECK(contains(ProgramFixture().run("--help").out, "75 stopped"));
}

TEST_CASE("times and rounds that are none are refused") {
  const ProgramFixture program;
  for (const char* const option : {"checkpoint-seconds", "checkpoint-rounds", "stall-limit"})
    check_refused(program, std::string("run tiny.yaml --") + option + "=-1",
                  {std::string("run: --") + option + ": found -1, expected 0 or more"});
  check_refused(program, "run tiny.yaml --checkpoint-seconds=nan",
                {"found nan, expected 0 or more"});
  check_refused(program, "run tiny.yaml --checkpoint-rounds two", {"checkpoint-rounds"});
  check_refused(program, "run tiny.yaml --time-limit nonsense",
                {"--time-limit", "'nonsense'", "HOURS:MINUTES:SECONDS"});
  check_refused(program, "run tiny.yaml --time-limit -5", {"time-limit"});
  check_refused(program, "run tiny.yaml --resume-from none", {"none", "no unfinished run"});
  check_refused(program, "run tiny.yaml --resume-from .", {".: holds no unfinished run"});
  check_refused(program, "run tiny.yaml --resume-from . --force", {"--force: found with"});
}

TEST_CASE(
    "a time limit ends a run with status 75, and the same command goes on to the same bytes") {
  const ProgramFixture program;
  CHECK(program.run("run tiny.yaml --output whole").status == 0);
  const Finished stopped = program.run("run tiny.yaml --output parts --time-limit 5");
  CHECK(stopped.status == 75);
  CHECK(stopped.errors.empty());
  CHECK(contains(stopped.out, "stopped after round 1; the same command goes on from there"));
  const Finished last = program.run("run tiny.yaml --output parts --time-limit 1:00");
  CHECK(last.status == 0);
  CHECK(contains(last.out, "goes on after round 1"));
  const auto rounds_in = [&](const char* output) {
    const fs::path folder = fs::directory_iterator(program.path(output) / "tiny")->path();
    return text_of(folder / "rounds.csv");
  };
  CHECK(rounds_in("parts") == rounds_in("whole"));
  CHECK(lines_of(rounds_in("whole")).size() > 3);
}

TEST_CASE("a run that was to begin anew and is stopped goes on without --force") {
  const ProgramFixture program;
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml")) << "sweep: {seed: [1, 2]}\n";
  for (const std::string file : {"tiny.yaml", "sweep.yaml"}) {
    const Finished stopped = program.run("run " + file + " --force --time-limit 0");
    CHECK(stopped.status == 75);
    CHECK_MESSAGE(contains(stopped.out,
                           "stopped after round 1; without --force the same command "
                           "goes on from there\n"),
                  stopped.out);
    CHECK(contains(program.run("run " + file).out, "goes on after round 1"));
  }
  CHECK(contains(program.run("--help").out, "without --force"));
}

TEST_CASE("a run that has finished is no mistake for a job script") {
  const ProgramFixture program;
  CHECK(program.run("run tiny.yaml --resume").status == 0);
  CHECK(program.run("run tiny.yaml").status == 2);
  const Finished again = program.run("run tiny.yaml --resume");
  CHECK(again.status == 0);
  CHECK(contains(again.out, "had finished already; results in results/tiny/"));
}

}  // namespace localbatch
