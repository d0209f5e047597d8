// The command that branches a run, as a person gives it.

#include "apps/program_fixture.h"
#include "core/text.h"

namespace localbatch {

namespace {

/// A run that kept a checkpoint, below results/.
fs::path run_to_branch(const ProgramFixture& program) {
  REQUIRE(program
              .run("run tiny.yaml --set max_samples=640 --set 'checkpoint={keep_at: [320]}' "
                   "--set 'batch_size_controller={name: fixed}'")
              .status == 0);
  return fs::directory_iterator(program.path("results") / "tiny")->path();
}

std::string branch(const fs::path& run, const std::string& more = {}) {
  return "branch '" + run.string() +
         "' --quiet --set 'branches={at: [320], local_batch_sizes: [4], samples: 160}' " + more;
}

}  // namespace

TEST_CASE("a branch that lost its checkpoint is made again") {
  const ProgramFixture program;
  const fs::path run = run_to_branch(program);
  REQUIRE(program.run(branch(run)).status == 0);
  const fs::path made = fs::directory_iterator(run / "branches")->path();
  const std::string rounds = text_of(made / "rounds.csv");
  fs::remove(made / "summary.json");
  CHECK(program.run(branch(run)).status == 0);
  CHECK(text_of(made / "rounds.csv") == rounds);
}

TEST_CASE("a branch is no run to begin, nor one to branch") {
  const ProgramFixture program;
  const fs::path run = run_to_branch(program);
  REQUIRE(program.run(branch(run)).status == 0);
  const fs::path made = fs::directory_iterator(run / "branches")->path();
  const std::string elsewhere = "run '" + (made / "experiment.yaml").string() + "' --output new";
  for (const char* const option : {"", " --dry-run"}) {
    const Finished refused = program.run(elsewhere + option);
    CHECK(refused.status == 2);
    CHECK(contains(refused.out + join(refused.errors, " "),
                   "a branch goes on from a checkpoint, and there is none"));
  }
  check_refused_beside(program, branch(made), {"is a branch itself"});
}

TEST_CASE("a branch of curves that somebody has changed is not left behind") {
  const ProgramFixture program;
  const fs::path run = run_to_branch(program);
  const std::string evaluations = text_of(run / "evaluations.csv");
  std::string changed = evaluations;
  changed[changed.find('\n') - 1] = '9';
  std::ofstream(run / "evaluations.csv") << changed;
  CHECK(program.run(branch(run)).status == 2);
  std::ofstream(run / "evaluations.csv") << evaluations;
  CHECK(program.run(branch(run)).status == 0);
}

TEST_CASE("branch refuses settings that are not of branches, before anything is made") {
  const ProgramFixture program;
  const fs::path run = run_to_branch(program);
  check_refused_beside(program, branch(run, "--set learning_rate.peak=100"),
                       {"learning_rate.peak=100", "expected a key of branches"});
  check_refused_beside(program,
                       branch(run, "--set 'branches={at: [], local_batch_sizes: [8], samples: 3}'"),
                       {"branches.at: found an empty list"});
  CHECK_FALSE(fs::exists(run / "branches"));
}

TEST_CASE("branch leaves a run alone that another process branches") {
  const ProgramFixture program;
  const fs::path run = run_to_branch(program);
  const Finished finished = program.run(branch(run), "flock '" + (run / "lock").string() + "'");
  CHECK(finished.status == 2);
  REQUIRE(finished.errors.size() == 1);
  CHECK(contains(finished.errors.front(), "another process is writing there"));
}

}  // namespace localbatch
