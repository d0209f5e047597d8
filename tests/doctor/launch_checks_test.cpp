#include <algorithm>
#include <optional>
#include <utility>

#include "doctor/rank_fixtures.h"

namespace localbatch {

namespace {

std::vector<RankFacts> ranks_with(int count, const Environment& environment) {
  return job(std::vector(count, healthy_rank("n1", cores(0, 8), environment)));
}

const Launch kFourWorkers{.workers = 4, .command = "localbatch run a.yaml"};

}  // namespace

TEST_CASE("tasks of srun that MPI does not connect are refused with the line that helps") {
  check_only(check_launch(ranks_with(1, by_srun(4)), kFourWorkers), Severity::kRefusal,
             "srun started 4 tasks", "'srun --mpi=pmix -n 4 localbatch run a.yaml'");
  check_only(check_launch(ranks_with(1, by_mpirun(4)), kFourWorkers), Severity::kRefusal,
             "mpirun started 4 processes", "'mpirun -np 4 localbatch run a.yaml'");
}

TEST_CASE("a launch that is meant is accepted") {
  check_only(check_launch(ranks_with(1, {}), kFourWorkers), Severity::kOk,
             "without mpirun or srun");
  check_only(check_launch(ranks_with(4, by_srun(4)), kFourWorkers), Severity::kOk, "4 ranks");
  check_only(check_launch(ranks_with(4, by_mpirun(4)), kFourWorkers), Severity::kOk, "4 ranks");
  Environment one_task = by_srun(1);
  one_task.emplace("SLURM_NTASKS", "4");
  check_only(check_launch(ranks_with(1, one_task), kFourWorkers), Severity::kOk, "1 rank");
  Environment in_a_batch_script = by_mpirun(4);
  in_a_batch_script.emplace("SLURM_NTASKS", "4");
  check_only(check_launch(ranks_with(4, in_a_batch_script), kFourWorkers), Severity::kOk,
             "4 ranks");
}

TEST_CASE("a batch script that forgets srun is warned, if its tasks have something to do") {
  const Environment script{{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "8"}};
  check_only(check_launch(ranks_with(1, script), kFourWorkers), Severity::kWarning,
             "the Slurm job has 8 tasks", "'srun --mpi=pmix -n 4 localbatch run a.yaml'");
  check_only(check_launch(ranks_with(1, script), {.workers = 1}), Severity::kOk, "one rank");
  check_only(check_launch(ranks_with(1, script), {}), Severity::kWarning, "8 tasks", "-n 8");
}

TEST_CASE("mpirun with fewer ranks than the job has tasks is noted") {
  Environment environment = by_mpirun(2);
  environment.emplace("SLURM_NTASKS", "4");
  const Diagnoses found = check_launch(ranks_with(2, environment), kFourWorkers);
  REQUIRE(found.size() == 2);
  CHECK(found[0].severity == Severity::kOk);
  CHECK(found[1].severity == Severity::kNote);
  CHECK(contains(found[1].text, "has 4 tasks, and mpirun started 2 ranks"));
}

TEST_CASE("shares of the workers: refused without one, noted where uneven") {
  const auto shares = [](std::optional<int> workers, int ranks) {
    return check_shares(ranks_with(ranks, {}), {.workers = workers});
  };
  check_only(shares(4, 2), Severity::kOk, "2 workers on each of 2 ranks");
  check_only(shares(5, 2), Severity::kNote, "some host 3 and some 2");
  check_only(shares(2, 3), Severity::kRefusal, "3 ranks were started for 2 workers");
  CHECK(shares({}, 3).empty());
}

TEST_CASE("a job that is refused for its launch is not told about its cores") {
  const std::vector<RankFacts> ranks =
      job({healthy_rank("n1", {0}, by_srun(2)), healthy_rank("n1", {0}, by_srun(2))});
  const auto says_core = [](const Diagnosis& found) { return contains(found.text, "core 0"); };
  const Diagnoses started = diagnose(ranks, {.workers = 2}),
                  refused = diagnose(ranks, {.workers = 1});
  CHECK(std::ranges::any_of(started, says_core));
  CHECK(std::ranges::none_of(refused, says_core));
}

TEST_CASE("a line of advice speaks the language of the MPI library at hand") {
  const auto line = [](const char* mpi, std::optional<int> its_cores, Environment environment) {
    RankFacts rank = healthy_rank("n1", cores(0, 8), std::move(environment));
    rank.mpi = mpi;
    return launch_line(rank, 4, its_cores, {.command = "x"});
  };
  for (const char* const open_mpi : {"Open MPI v4.1.4", "Open MPI v5.0.7"}) {
    CHECK(line(open_mpi, {}, {}) == "'mpirun -np 4 x'");
    CHECK(line(open_mpi, 2, {}) == "'mpirun -np 4 --map-by slot:PE=2 --bind-to core x'");
    CHECK(line(open_mpi, kUnbound, {}) == "'mpirun -np 4 --bind-to none x'");
    CHECK(line(open_mpi, 2, by_srun(4)) == "'srun --mpi=pmix -n 4 --cpus-per-task=2 x'");
  }
  const char* const mpich = "MPICH Version:\t4.0.2";
  CHECK(line(mpich, {}, {}) == "'mpirun -np 4 x'");
  CHECK(line(mpich, 2, {}) == "'mpirun -np 4 -bind-to core:2 x'");
  CHECK(line(mpich, kUnbound, {}) == "'mpirun -np 4 -bind-to none x'");
  CHECK(line(mpich, 2, by_srun(4)) == "'srun --mpi=pmi2 -n 4 --cpus-per-task=2 x'");
  CHECK(line(mpich, {}, {{"SLURM_JOB_ID", "7"}}) == "'srun --mpi=pmi2 -n 4 x'");
  const char* const intel = "Intel(R) MPI Library 2021.11 for Linux* OS";
  CHECK(line(intel, 2, {}) == "'mpirun -np 4 -genv I_MPI_PIN_DOMAIN 2 x'");
  CHECK(line(intel, kUnbound, {}) == "'mpirun -np 4 -genv I_MPI_PIN 0 x'");
  CHECK(line(intel, {}, by_srun(4)) ==
        "'srun --mpi=pmi2 -n 4 x' with I_MPI_PMI_LIBRARY=PATH of Slurm's libpmi2.so");
  Environment with_library = by_srun(4);
  with_library.emplace("I_MPI_PMI_LIBRARY", "/usr/lib64/libpmi2.so");
  CHECK(line(intel, {}, with_library) == "'srun --mpi=pmi2 -n 4 x'");
}

TEST_CASE("tasks of srun under MPICH that nothing connects are told of pmi2") {
  std::vector<RankFacts> ranks = ranks_with(1, by_srun(4));
  ranks[0].mpi = "MPICH Version:\t4.0.2";
  check_only(check_launch(ranks, kFourWorkers), Severity::kRefusal, "srun started 4 tasks",
             "'srun --mpi=pmi2 -n 4 localbatch run a.yaml'");
}

}  // namespace localbatch
