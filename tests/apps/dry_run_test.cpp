// `run --dry-run`: what a run would do, without a trace.

#include <map>
#include <tuple>

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

/// Every path of the desk with its kind, bytes and time, those apart that the shell writes.
std::map<std::string, std::tuple<bool, std::string, fs::file_time_type>> tree_of(
    const ProgramFixture& program) {
  std::map<std::string, std::tuple<bool, std::string, fs::file_time_type>> tree;
  for (const auto& entry : fs::recursive_directory_iterator(program.path("."))) {
    const std::string name = entry.path().filename().string();
    if (name == "stdout" || name == "stderr") continue;
    tree[entry.path().string()] = {entry.is_directory(),
                                   entry.is_directory() ? "" : text_of(entry.path()),
                                   fs::last_write_time(entry.path())};
  }
  return tree;
}

class DryDesk : public ProgramFixture {
 public:
  DryDesk() {
    std::ofstream(path("sweep.yaml"))
        << text_of(path("tiny.yaml")) << "sweep: {sync_interval.H: [1, 2], seed: [1, 2]}\n";
    // The shell makes these files, and with them a new time of the folder, only once.
    run("--version");
  }

  /// Runs with --dry-run and checks that nothing has changed.
  Finished dry(const std::string& arguments, const std::string& launcher = {}) const {
    const auto before = tree_of(*this);
    const Finished finished = run("run " + arguments + " --dry-run", launcher);
    CAPTURE(arguments);
    CHECK((tree_of(*this) == before));
    return finished;
  }
};

std::string line_with(const std::string& text, const std::string& part) {
  for (const std::string& line : lines_of(text))
    if (contains(line, part)) return line;
  return {};
}

}  // namespace

TEST_CASE("a dry run says what would begin, go on or be skipped, and writes nothing") {
  const DryDesk program;
  const Finished before = program.dry("sweep.yaml");
  CHECK(before.status == 0);
  CHECK(before.errors.empty());
  CHECK_FALSE(fs::exists(program.path("results")));
  for (const char* const cell : {"1 H=1-seed=1  begin", "4 H=2-seed=2  begin"})
    CHECK_MESSAGE(contains(before.out, cell), before.out);
  CHECK(contains(before.out, "results/tiny/H=2-seed=2-"));
  CHECK(contains(before.out, "a run would start"));

  CHECK(program.run("run sweep.yaml --cell 2").status == 0);
  CHECK(program.run("run sweep.yaml --cell 3 --time-limit 0").status == 75);
  const Finished middle = program.dry("sweep.yaml");
  CHECK(middle.status == 0);
  CHECK(contains(line_with(middle.out, "1 H=1-seed=1"), " begin "));
  CHECK(contains(line_with(middle.out, "2 H=1-seed=2"), " be skipped, has finished "));
  CHECK(contains(line_with(middle.out, "3 H=2-seed=1"), " go on after round 1 "));
  CHECK(contains(program.dry("sweep.yaml --force").out, " replace results "));

  CHECK(program.run("run sweep.yaml").status == 0);
  const Finished after = program.dry("sweep.yaml");
  CHECK(after.status == 0);
  CHECK(contains(after.out, "a run would find nothing to do"));
}

TEST_CASE("a dry run ends with 2 where a run would be refused, and says why as the run does") {
  const DryDesk program;
  const std::string mistake = "tiny.yaml --set 'dataset={name: cifar10, root: nowhere}'";
  const Finished no_data = program.dry(mistake);
  CHECK(no_data.status == 2);
  CHECK_FALSE(fs::exists(program.path("results")));
  const Finished run = program.run("run " + mistake);
  REQUIRE(run.errors.size() == 1);
  CHECK("localbatch: " + line_with(no_data.out, "refusal").substr(9) == run.errors.front());
  CHECK(contains(no_data.out, "a run would be refused"));

  CHECK(program.run("run tiny.yaml").status == 0);
  const Finished finished = program.dry("tiny.yaml");
  CHECK(finished.status == 2);
  CHECK(contains(finished.out, "holds results already"));
  CHECK(program.dry("tiny.yaml --resume").status == 0);
  CHECK(contains(program.dry("tiny.yaml --force").out, " replace results "));
  CHECK(program.dry("sweep.yaml --cell 5").status == 2);
  CHECK(program.dry("tiny.yaml --set workrs=2").status == 2);
  CHECK(program.dry("tiny.yaml --resume-from nowhere").status == 2);
}

TEST_CASE("a dry run has the warnings of doctor and plan, each once for all its cells") {
  const DryDesk program;
  const std::string doubtful = "sweep.yaml --set dataset.train_samples=6";
  const Finished plan = program.run("plan " + doubtful + " --samples-per-second 9");
  REQUIRE_FALSE(plan.errors.empty());
  const Finished finished = program.dry(doubtful);
  CHECK(finished.status == 0);
  for (const std::string& warning : plan.errors) {
    const std::string text = warning.substr(std::string("localbatch: warning: ").size());
    CHECK_MESSAGE(contains(finished.out, "warning  cells 1-4: " + text), finished.out);
  }
}

TEST_CASE("a dry run goes on from the folder that --resume-from names, and one cell by --cell") {
  const DryDesk program;
  CHECK(program.run("run tiny.yaml --time-limit 0 --output elsewhere").status == 75);
  const std::string folder = fs::directory_iterator(program.path("elsewhere/tiny"))->path();
  const Finished finished = program.dry("tiny.yaml --resume-from '" + folder + "'");
  CHECK(finished.status == 0);
  CHECK(contains(line_with(finished.out, folder), " go on after round 1 "));
  const Finished cell = program.dry("sweep.yaml --cell 4");
  CHECK(contains(cell.out, "4 H=2-seed=2  begin"));
  CHECK_FALSE(contains(cell.out, "H=1-seed=1"));
}

TEST_CASE("mpirun: a dry run is of these ranks, and one of them speaks") {
  const DryDesk program;
  const Finished two = program.dry("sweep.yaml", LOCALBATCH_MPIRUN " 2");
  CHECK(two.status == 0);
  const std::vector<std::string> lines = lines_of(two.out);
  CHECK(std::ranges::count(lines, "a run would start") == 1);
  CHECK_FALSE(contains(line_with(two.out, "1 H=1-seed=1"), " 0 B "));
  const Finished three = program.dry("sweep.yaml", LOCALBATCH_MPIRUN " 3");
  CHECK(three.status == 2);
  CHECK(contains(three.out, "cells 1-4: 3 ranks were started for 2 workers"));
}

TEST_CASE("a dry run of jobs checks what jobs need") {
  const DryDesk program;
  const Finished far_too_many = program.dry("sweep.yaml --jobs 100000");
  CHECK(far_too_many.status == 2);
  const Finished one_cell = program.dry("sweep.yaml --jobs 2 --cell 1");
  CHECK(one_cell.status == 2);
  const Finished jobs = program.dry("sweep.yaml --jobs 2");
  if (jobs.status == 0) CHECK(contains(jobs.out, "4 H=2-seed=2  begin"));
}

}  // namespace localbatch
