// Sweeps as a person starts and watches them.

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

/// The program's experiment with four cells.
class SweepDesk : public ProgramFixture {
 public:
  SweepDesk() {
    std::ofstream(path("sweep.yaml"))
        << text_of(path("tiny.yaml")) << "sweep: {sync_interval.H: [1, 2], seed: [1, 2]}\n";
  }

  std::vector<std::string> folders(const std::string& output = "results") const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path(output) / "tiny"))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }

  std::string rounds(const std::string& output, const std::string& folder) const {
    return text_of(path(output) / "tiny" / folder / "rounds.csv");
  }
};

}  // namespace

TEST_CASE("run goes through the cells of a sweep and status shows them") {
  const SweepDesk program;
  const Finished before = program.run("status sweep.yaml");
  CHECK(before.status == 0);
  CHECK(contains(before.out, "4 cells: 4 to do"));
  CHECK_FALSE(fs::exists(program.path("results")));

  CHECK(program.run("run sweep.yaml --cell 2").status == 0);
  REQUIRE(program.folders().size() == 1);
  CHECK(program.folders()[0].starts_with("H=1-seed=2-"));
  CHECK(contains(program.run("status sweep.yaml").out, "4 cells: 1 finished, 3 to do; "));

  const Finished rest = program.run("run sweep.yaml");
  CHECK(rest.status == 0);
  CHECK(contains(rest.out, "4 cells: 1 finished, 3 to do"));
  CHECK(contains(rest.out, "cell 4 (H=2, seed=2)"));
  CHECK_FALSE(contains(rest.out, "cell 2 ("));
  CHECK(program.folders().size() == 4);
  const Finished after = program.run("status sweep.yaml");
  CHECK(contains(after.out, "4 cells: 4 finished\n"));
  CHECK(contains(program.run("run sweep.yaml").out, "4 cells: 4 finished\n"));
}

TEST_CASE("a task of a Slurm array runs one cell") {
  const SweepDesk program;
  CHECK(program.run("run sweep.yaml", "SLURM_ARRAY_TASK_ID=3").status == 0);
  REQUIRE(program.folders().size() == 1);
  CHECK(program.folders()[0].starts_with("H=2-seed=1-"));
  const Finished none = program.run("run sweep.yaml", "SLURM_ARRAY_TASK_ID=5");
  CHECK(none.status == 2);
  CHECK(contains(none.errors.front(), "found 5, sweep.yaml has the cells 1 to 4"));
  CHECK(program.run("run tiny.yaml --output one", "SLURM_ARRAY_TASK_ID=5").status == 0);
}

TEST_CASE("jobs beside each other give the bytes of cells one after the other") {
  const SweepDesk program;
  CHECK(program.run("run sweep.yaml").status == 0);
  const Finished jobs = program.run("run sweep.yaml --jobs 2 --output jobs --set workers=2");
  if (jobs.status == 2) {
    MESSAGE("skipped: ", jobs.errors.front());
    return;
  }
  CHECK(jobs.status == 0);
  CHECK(contains(jobs.out, "cell 3 (H=2, seed=1) finished after"));
  REQUIRE(program.folders("jobs").size() == 4);
  for (const std::string& folder : program.folders()) {
    const std::string hash = folder.substr(folder.size() - 8);
    for (const std::string& other : program.folders("jobs"))
      if (other.ends_with(hash))
        CHECK(program.rounds("results", folder) == program.rounds("jobs", other));
  }
}

TEST_CASE("a job that fails is told and does not keep the others from running") {
  const SweepDesk program;
  std::ofstream(program.path("bad.yaml"))
      << text_of(program.path("tiny.yaml"))
      << "sweep:\n  case:\n    bad: {dataset: {name: cifar10, root: nowhere}}\n"
         "    good: {seed: 2}\n    diverges: {learning_rate.peak: 1.0e6, "
         "inner_optimizer.weight_decay: 1.0, max_samples: 10000}\n";
  for (const char* const how : {"", " --jobs 2"}) {
    CAPTURE(how);
    fs::remove_all(program.path("results"));
    const Finished finished = program.run(std::string("run bad.yaml") + how);
    if (finished.out.empty()) continue;  // one core
    CHECK(finished.status == 2);
    REQUIRE(finished.errors.size() == 1);
    CHECK(contains(finished.errors.front(), "nowhere"));
    const std::string status = program.run("status bad.yaml").out;
    CHECK(contains(status, "3 cells: 1 finished, 1 diverged, 1 failed"));
    CHECK(contains(status, "nowhere"));
  }
}

TEST_CASE(
    "a sweep that is stopped says so also when a cell has failed, so that it is started again") {
  const SweepDesk program;
  std::ofstream(program.path("bad.yaml"))
      << text_of(program.path("tiny.yaml"))
      << "sweep:\n  case:\n    bad: {dataset: {name: cifar10, root: nowhere}}\n"
         "    second: {seed: 2}\n    third: {seed: 3}\n";
  for (const char* const how : {"", " --jobs 2"}) {
    CAPTURE(how);
    fs::remove_all(program.path("results"));
    const Finished stopped = program.run(std::string("run bad.yaml --time-limit 0") + how);
    if (stopped.out.empty()) continue;  // one core
    CHECK(stopped.status == 75);
    REQUIRE(stopped.errors.size() == 1);
    CHECK(contains(stopped.errors.front(), "nowhere"));
    CHECK(contains(program.run("status bad.yaml").out, "3 cells: 1 failed, 2 to do"));
    CHECK(program.run(std::string("run bad.yaml") + how).status == 2);
    CHECK(contains(program.run("status bad.yaml").out, "3 cells: 2 finished, 1 failed"));
  }
}

TEST_CASE("a sweep that replaces all does not end as what it has replaced") {
  const SweepDesk program;
  CHECK(program.run("run sweep.yaml").status == 0);
  for (const char* const how : {"", " --jobs 2"}) {
    CAPTURE(how);
    std::ofstream(program.path("results/tiny") / program.folders().front() / "summary.json")
        << R"({"outcome": "diverged"})";
    const Finished diverged = program.run(std::string("run sweep.yaml") + how);
    if (diverged.out.empty()) continue;  // one core
    CHECK(diverged.status == 3);
    CHECK(program.run(std::string("run sweep.yaml --force") + how).status == 0);
  }
}

TEST_CASE("status tells a run that goes on from one that has stopped, and takes folders") {
  const SweepDesk program;
  CHECK(program.run("run sweep.yaml --cell 1").status == 0);
  CHECK(program.run("run sweep.yaml --cell 2 --time-limit 0").status == 75);
  fs::path stopped;
  for (const auto& entry : fs::directory_iterator(program.path("results/tiny")))
    if (!fs::exists(entry.path() / "summary.json")) stopped = entry.path();
  REQUIRE_FALSE(stopped.empty());
  for (const char* const source : {"sweep.yaml", "results", "results/tiny"}) {
    CAPTURE(source);
    const std::string command = std::string("status ") + source;
    const Finished idle = program.run(command);
    CHECK(idle.status == 0);
    CHECK_MESSAGE(contains(idle.out, " stopped "), idle.out);
    CHECK_FALSE(contains(idle.out, "running"));
    CHECK_FALSE(contains(idle.out, " left,"));
    const Finished busy = program.run(command, "flock '" + (stopped / "lock").string() + "'");
    CHECK_MESSAGE(contains(busy.out, " running "), busy.out);
    CHECK(contains(busy.out, " left, last round"));
  }
  const std::string folder = program.run("status results").out;
  CHECK(contains(folder, "results/tiny/H=1-seed=1-"));
  CHECK(contains(folder, "2 runs: 1 finished, 1 to do"));
  fs::remove(program.path("results/tiny") / program.folders()[0] / "summary.json");
  CHECK(contains(program.run("status results").out, "2 runs: 1 finished, 1 to do"));
}

TEST_CASE("status --watch looks again until all cells have ended") {
  const SweepDesk program;
  const Finished waits =
      program.run("status sweep.yaml --watch 0.1", "timeout --preserve-status -s INT 3");
  CHECK(waits.status != 0);
  CHECK(contains(waits.out, "4 cells: 4 to do\n\n-------- 2"));
  CHECK_FALSE(has_control_characters(waits.out));
  const Finished until_the_end = program.run(
      "status sweep.yaml --watch 0.1", "{ '" LOCALBATCH_PROGRAM "' run sweep.yaml --quiet & }; ");
  CHECK(until_the_end.status == 0);
  CHECK(until_the_end.out.ends_with("4 cells: 4 finished\n"));
  const Finished at_once = program.run("status results --watch 1000");
  CHECK(at_once.status == 0);
  CHECK_FALSE(contains(at_once.out, "----"));
  for (const char* const seconds : {"0", "-1", "nan"})
    CHECK(program.run(std::string("status sweep.yaml --watch ") + seconds).status == 2);
}

TEST_CASE("a run without a sweep leaves the reason why it could not go on, once it has begun") {
  const ProgramFixture program;
  CHECK(program.run("run tiny.yaml --set 'dataset={name: cifar10, root: nowhere}'").status == 2);
  CHECK_FALSE(fs::exists(program.path("results")));
  CHECK(program.run("run tiny.yaml --time-limit 0").status == 75);
  const fs::path folder = fs::directory_iterator(program.path("results/tiny"))->path();
  fs::create_directories(folder / "final_parameters.f32" / "in the way");
  CHECK(program.run("run tiny.yaml").status == 1);
  CHECK(contains(text_of(folder / "failure.txt"), "final_parameters.f32"));
  CHECK(contains(program.run("status tiny.yaml").out, "failed"));
  fs::remove_all(folder / "final_parameters.f32");
  CHECK(program.run("run tiny.yaml").status == 0);
  CHECK_FALSE(fs::exists(folder / "failure.txt"));
  CHECK(program.run("run tiny.yaml").status == 2);  // it has results
  CHECK_FALSE(fs::exists(folder / "failure.txt"));
}

TEST_CASE("plan has a line for each cell and their sum") {
  const SweepDesk program;
  const Finished all = program.run("plan sweep.yaml --samples-per-second 100");
  CHECK(all.status == 0);
  for (const char* const part : {"1 H=1-seed=1", "4 H=2-seed=2", "4 cells one after the other: "})
    CHECK_MESSAGE(contains(all.out, part), all.out);
  const Finished one = program.run("plan sweep.yaml --cell 3 --samples-per-second 100");
  CHECK(contains(one.out, "the whole run"));
  check_refused(program, "plan sweep.yaml --json x.json", {"--json", "--cell"});
  check_refused(program, "plan sweep.yaml --cell 9", {"--cell: found 9"});
}

TEST_CASE("mistakes about sweeps are refused") {
  const SweepDesk program;
  check_refused(program, "run sweep.yaml --cell 5", {"--cell: found 5", "the cells 1 to 4"});
  check_refused(program, "run sweep.yaml --cell 0", {"--cell: found 0"});
  check_refused(program, "run sweep.yaml --jobs 0", {"--jobs: found 0"});
  check_refused(program, "run sweep.yaml --jobs 5000", {"--jobs: found 5000", "cores"});
  check_refused(program, "run sweep.yaml --jobs 2 --cell 1", {"--jobs"});
  check_refused(program, "run sweep.yaml --set seed=3", {"seed=3", "the sweep of sweep.yaml"});
  check_refused(program, "run sweep.yaml --resume-from x", {"--resume-from", "--cell"});
  check_refused(program, "status", {"an experiment file is missing"});
  check_refused(program, "status nothing.yaml", {"nothing.yaml"});
  check_refused(program, "status . --set seed=2", {"--set: found with folders alone"});
}

}  // namespace localbatch
