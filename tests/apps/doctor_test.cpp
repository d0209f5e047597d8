// 'localbatch doctor' as a person starts it, and what it says before a run.

#include <doctest/doctest.h>

#include "apps/program_fixture.h"
#include "core/machine.h"

namespace localbatch {

namespace {

/// Lines of the report with this severity.
std::vector<std::string> lines_of_severity(const std::string& severity, const Finished& finished) {
  std::vector<std::string> found;
  for (const std::string& line : lines_of(finished.out))
    if (line.starts_with(severity + " ")) found.push_back(line);
  return found;
}

}  // namespace

TEST_CASE("doctor alone: what is here, nothing refused, nothing written") {
  const ProgramFixture program;
  for (const char* const arguments : {"doctor", "doctor tiny.yaml --set workers=3"}) {
    CAPTURE(arguments);
    const Finished finished = program.run(arguments);
    CHECK(finished.status == 0);
    CHECK(finished.errors.empty());
    CHECK_FALSE(has_control_characters(finished.out));
    for (const std::string& part :
         {host_name(), cpu_model(), std::string("oneDNN"), std::string("iB are free"),
          std::string("one rank, started without"), std::string("a run would start")})
      CHECK_MESSAGE(contains(finished.out, part), finished.out);
    CHECK(lines_of_severity("refusal", finished).empty());
    CHECK_FALSE(fs::exists(program.path("results")));
  }
  CHECK(contains(program.run("doctor tiny.yaml --set workers=3").out, "3 workers of 1 thread"));
}

TEST_CASE("doctor lists the variables by which a person tunes MPI, by name") {
  const ProgramFixture program;
  const Finished finished = program.run(
      "doctor tiny.yaml", "env UCX_TLS=tcp FI_PROVIDER=sockets " LOCALBATCH_MPIRUN " 2");
  CHECK(finished.status == 0);
  CHECK_MESSAGE(contains(finished.out, "variables of MPI on " + host_name() + ":\n"), finished.out);
  CHECK(finished.out.find("  FI_PROVIDER=sockets\n") < finished.out.find("  UCX_TLS=tcp\n"));
  CHECK(contains(finished.out, "  UCX_TLS=tcp\n"));
  CHECK_FALSE(contains(finished.out, "OMPI_MCA_orte_"));
}

TEST_CASE("doctor in a Slurm job of several tasks that was started without srun: a warning") {
  const ProgramFixture program;
  const Finished finished =
      program.run("doctor tiny.yaml", "env SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_PROCID=0");
  CHECK(finished.status == 0);
  CHECK(contains(finished.out, "the Slurm job has 4 tasks"));
  CHECK(contains(finished.out, "'srun --mpi=pmix -n 2 localbatch run tiny.yaml'"));
  const Finished run = program.run("run tiny.yaml", "env SLURM_JOB_ID=7 SLURM_NTASKS=4");
  CHECK(run.status == 0);
  CHECK(std::ranges::any_of(run.errors, [](const std::string& line) {
    return line.starts_with("localbatch: warning: the Slurm job has 4 tasks");
  }));
}

TEST_CASE("doctor for tasks of srun that MPI does not connect: one of them refuses") {
  const ProgramFixture program;
  const std::string srun = "env SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=";
  const Finished first = program.run("doctor tiny.yaml --set workers=4", srun + "0");
  CHECK(first.status == 2);
  CHECK(lines_of_severity("refusal", first).size() == 1);
  CHECK(contains(first.out, "'srun --mpi=pmix -n 4 localbatch run tiny.yaml --set workers=4'"));
  CHECK(contains(first.out, "a run would be refused"));
  const Finished other = program.run("doctor tiny.yaml", srun + "2");
  CHECK(other.status == 0);
  CHECK(other.out.empty());
  CHECK(other.errors.empty());

  const Finished run = program.run("run tiny.yaml", srun + "0");
  CHECK(run.status == 2);
  REQUIRE(run.errors.size() == 1);
  CHECK(contains(run.errors.front(), "srun started 4 tasks, but MPI does not connect them"));
  CHECK_FALSE(fs::exists(program.path("results")));
}

TEST_CASE("mpirun: one of two ranks speaks for both") {
  const ProgramFixture program;
  const Finished finished = program.run("doctor tiny.yaml", LOCALBATCH_MPIRUN " 2");
  CHECK(finished.status == 0);
  CHECK(contains(finished.out, "MPI connects 2 ranks"));
  CHECK(contains(finished.out, "1 worker on each of 2 ranks"));
  CHECK_FALSE(has_control_characters(finished.out));
  const std::vector<std::string> lines = lines_of(finished.out);
  CHECK(std::ranges::count(lines, "a run would start") == 1);
  CHECK(std::ranges::count_if(lines, [](const std::string& line) {
          return line.starts_with(host_name() + " ") && contains(line, " 0-1 ");
        }) == 1);
}

TEST_CASE("mpirun: more ranks than workers are refused with status 2") {
  const ProgramFixture program;
  const Finished finished = program.run("doctor tiny.yaml", LOCALBATCH_MPIRUN " 3");
  CHECK(finished.status == 2);
  const std::vector<std::string> refusals = lines_of_severity("refusal", finished);
  REQUIRE(refusals.size() == 1);
  CHECK(contains(refusals.front(), "3 ranks were started for 2 workers"));
}

TEST_CASE("mpirun: ranks on one core are warned, by doctor and by a run that goes on") {
  if (available_cores() == 1) return;  // there is no other core to use
  const ProgramFixture program;
  const std::string one_core = "taskset -c $(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//') ";
  const std::string warning = "ranks 0-1 on " + host_name() + " may use core ";
  const Finished finished = program.run("doctor tiny.yaml", one_core + LOCALBATCH_MPIRUN " 2");
  CHECK(finished.status == 0);
  CHECK(contains(finished.out, "warning  " + warning));
  const Finished run = program.run("run tiny.yaml", one_core + LOCALBATCH_MPIRUN " 2");
  CHECK(run.status == 0);
  CHECK(std::ranges::count_if(run.errors, [&](const std::string& line) {
          return line.starts_with("localbatch: warning: " + warning);
        }) == 1);
}

TEST_CASE("doctor refuses mistakes as run does, and a folder that takes no files") {
  const ProgramFixture program;
  check_refused(program, "doctor none.yaml", {"none.yaml"});
  check_refused(program, "doctor tiny.yaml --set workrs=2", {"did you mean 'workers'?"});
  check_refused(program, "doctor --set workers=2", {"--set: found without an experiment file"});
  check_refused(program, "doctor --froce", {"froce"});
  const Finished finished = program.run("doctor tiny.yaml --output /proc");
  CHECK(finished.status == 2);
  REQUIRE(lines_of_severity("refusal", finished).size() == 1);
  CHECK(contains(finished.out, "/proc/tiny/run-"));
}

TEST_CASE("doctor refuses what run refuses, and says that first") {
  const ProgramFixture program;
  const auto refuse = [&](const std::string& arguments, const std::string& part) {
    CAPTURE(arguments);
    const Finished doctor = program.run("doctor tiny.yaml " + arguments);
    CHECK(doctor.status == 2);
    const std::vector<std::string> refusals = lines_of_severity("refusal", doctor);
    REQUIRE_MESSAGE(!refusals.empty(), doctor.out);
    CHECK_MESSAGE(contains(refusals.front(), part), refusals.front());
    const Finished run = program.run("run tiny.yaml " + arguments);
    CHECK(run.status == 2);
    REQUIRE(run.errors.size() == 1);
    CHECK_MESSAGE(contains(run.errors.front(), part), run.errors.front());
  };
  refuse("--set 'dataset={name: cifar10, root: nowhere}'", "nowhere");
  refuse("--set 'dataset={name: synthetic, train_samples: 1, partition: by_class}'",
         "worker 0 of 2 would get no training images");
  refuse("--set workers=65536", "allowed are at most 256 for a core");
  // 32 workers, for which there are cores, of 4 GB each, for which there is hardly memory.
  refuse("--set 'model={name: mlp, hidden_layers: 40, hidden_features: 8192}' --set workers=32",
         "of memory, and there are");
  CHECK_FALSE(fs::exists(program.path("results")));

  CHECK(program.run("run tiny.yaml").status == 0);
  refuse("", "holds results already");
  CHECK(program.run("doctor tiny.yaml --force").status == 0);
  CHECK(program.run("doctor tiny.yaml --resume").status == 0);
}

TEST_CASE("doctor looks at a cell of a sweep: the one that is asked for, or the next to run") {
  const ProgramFixture program;
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml")) << "sweep: {seed: [1, 2]}\n";
  CHECK(contains(program.run("doctor sweep.yaml").out, "seed=1"));
  CHECK(program.run("run sweep.yaml --cell 1").status == 0);
  const Finished next = program.run("doctor sweep.yaml");
  CHECK(next.status == 0);
  CHECK(contains(next.out, "seed=2"));
  CHECK(program.run("doctor sweep.yaml --cell 1").status == 2);
  CHECK(program.run("doctor sweep.yaml --cell 3").status == 2);
}

TEST_CASE("doubtful settings are warned of at the start of a run, by doctor and by plan") {
  const ProgramFixture program;
  const std::string doubtful = " tiny.yaml --set 'learning_rate_coupling={name: sqrt}'";
  const auto warns = [](const Finished& finished) {
    return std::ranges::count_if(finished.errors, [](const std::string& line) {
      return line.starts_with("localbatch: warning: learning_rate_coupling: sqrt");
    });
  };
  CHECK(contains(program.run("doctor" + doubtful).out, "warning  learning_rate_coupling: sqrt"));
  CHECK(warns(program.run("plan" + doubtful + " --samples-per-second 100")) == 1);
  CHECK(warns(program.run("run" + doubtful)) == 1);
}

}  // namespace localbatch
