// What a person sees of a run while it goes on.

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

std::ptrdiff_t lines_with(const Finished& finished, const std::string& part) {
  return std::ranges::count_if(lines_of(finished.out),
                               [&part](const std::string& line) { return contains(line, part); });
}

}  // namespace

TEST_CASE("run --quiet prints nothing where nothing is wrong, and errors where something is") {
  const ProgramFixture program;
  const Finished run = program.run("run tiny.yaml --quiet");
  CHECK(run.status == 0);
  CHECK(run.out.empty());
  CHECK(run.errors.empty());
  const Finished again = program.run("run tiny.yaml --quiet");
  CHECK(again.status == 2);
  CHECK(again.out.empty());
  CHECK(again.errors.size() == 1);
  const Finished diverged = program.run(
      "run tiny.yaml --quiet --set learning_rate.peak=1.0e6 --set inner_optimizer.weight_decay=1 "
      "--set max_samples=10000");
  CHECK(diverged.status == 3);
  CHECK(diverged.out.empty());
  REQUIRE(diverged.errors.size() == 1);
  CHECK(contains(diverged.errors.front(), "diverged in round"));
}

TEST_CASE("run --progress: a log has rounds, evaluations or none between beginning and end") {
  const ProgramFixture program;
  const auto run = [&program](const std::string& progress) {
    const Finished finished = program.run("run tiny.yaml --force " + progress);
    CHECK(finished.status == 0);
    CHECK_FALSE(has_control_characters(finished.out));
    CHECK(lines_with(finished, "tiny: ") == 1);
    CHECK(lines_with(finished, "final test loss") == 1);
    return finished;
  };
  const Finished usual = run(""), evaluations = run("--progress evaluations"),
                 rounds = run("--progress rounds"), none = run("--progress none");
  CHECK(lines_with(usual, " test ") > 0);
  CHECK(lines_with(usual, "round 1 ") == 0);
  CHECK(lines_with(evaluations, "  loss ") == lines_with(usual, "  loss "));
  CHECK(lines_with(rounds, "round 1 ") == 1);  // and the next one after five seconds
  CHECK(lines_with(rounds, "round ") < 3);
  CHECK(lines_with(rounds, "/s  ") == lines_with(usual, "/s  ") + 1);
  CHECK(lines_with(none, "/s  ") == 0);
  for (const std::string& line : lines_of(rounds.out))
    if (line.starts_with("round 1 "))
      for (const char* const part : {" of 64 samples  loss ", "  b 4  H 1  ", "/s  "})
        CHECK_MESSAGE(contains(line, part), line);
}

TEST_CASE("the lines of evaluations fit into a hundred columns") {
  const ProgramFixture program;
  std::ofstream(program.path("problem.yaml"))
      << "experiment: problem\nworkers: 2\nmax_samples: 64\n"
         "problem: {name: quadratic}\nlearning_rate: {peak: 0.01}\n"
         "batch_size: {initial: 4, max: 8}\nbatch_size_controller: {name: norm_test}\n";
  for (const std::string file : {"tiny.yaml", "problem.yaml"}) {
    const Finished finished = program.run("run " + file);
    CHECK(finished.status == 0);
    int evaluations = 0;
    for (const std::string& line : lines_of(finished.out)) {
      if (!contains(line, "/s  ")) continue;
      ++evaluations;
      CHECK_MESSAGE(line.size() <= 100, line);
      CHECK_MESSAGE(contains(line, file == "tiny.yaml" ? "  test " : "  F - F* "), line);
      CHECK_MESSAGE(contains(line, "  b "), line);
    }
    CHECK(evaluations > 0);
  }
}

TEST_CASE("progress reaches the cells of a sweep, one after the other and as jobs") {
  const ProgramFixture program;
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml")) << "sweep: {seed: [1, 2]}\n";
  const Finished quiet = program.run("run sweep.yaml --quiet");
  CHECK(quiet.status == 0);
  CHECK(quiet.out.empty());
  CHECK(lines_with(program.run("run sweep.yaml --force --progress rounds"), "round 1 ") == 2);
  const Finished jobs = program.run("run sweep.yaml --force --jobs 2 --progress rounds");
  if (jobs.status == 2) {
    MESSAGE("skipped: ", jobs.errors.front());
    return;
  }
  CHECK(jobs.status == 0);
  for (const char* const cell : {"cell 1", "cell 2"}) {
    CHECK_MESSAGE(lines_with(jobs, std::string(cell) + ": round 1 ") == 1, jobs.out);
    CHECK(lines_with(jobs, std::string(cell) + ": curves in ") == 1);
    CHECK(lines_with(jobs, std::string(cell) + " (seed=") == 2);
  }
  CHECK(program.run("run sweep.yaml --force --jobs 2 --quiet").out.empty());
  CHECK(lines_with(program.run("run sweep.yaml --force --jobs 2"), "round 1 ") == 0);
}

TEST_CASE("contradictions and unknown names about progress are refused") {
  const ProgramFixture program;
  check_refused(program, "run tiny.yaml --progress evaluation",
                {"--progress: found 'evaluation'", "did you mean 'evaluations'?"});
  check_refused(program, "run tiny.yaml --quiet --progress none", {"--quiet", "--progress"});
  check_refused(program, "run tiny.yaml --quiet --dry-run", {"--quiet", "--dry-run"});
}

}  // namespace localbatch
