#include "doctor/rank_fixtures.h"

namespace localbatch {

namespace {

/// `count` ranks on one host.
std::vector<RankFacts> alike(int count, const std::vector<int>& its_cores,
                             const Environment& environment) {
  return job(std::vector(count, healthy_rank("n1", its_cores, environment)));
}

}  // namespace

TEST_CASE("ranks that are bound to one and the same core are named") {
  check_only(check_cores(alike(4, {5}, by_mpirun(4)), {.workers = 8}), Severity::kWarning,
             "ranks 0-3 on n1 may use core 5 only",
             "'mpirun -np 4 --bind-to none localbatch run FILE'");
  check_only(check_cores(alike(4, {5}, by_srun(4)), {.workers = 8}), Severity::kWarning,
             "core 5 only", "'srun --mpi=pmix -n 4 --cpus-per-task=2 localbatch run FILE'");
  // More workers than cores: each rank gets its own, so that they do not count the same ones.
  check_only(check_cores(alike(4, {5}, by_mpirun(4)), {.workers = 16}), Severity::kWarning,
             "core 5 only", "'mpirun -np 4 --map-by slot:PE=2 --bind-to core localbatch run FILE'");
}

TEST_CASE("ranks with a core of their own, or a host that has one only, share nothing by mistake") {
  check_only(check_cores(job({healthy_rank("n1", {0}), healthy_rank("n1", {1}),
                              healthy_rank("n2", {0}), healthy_rank("n2", {1})}),
                         {}),
             Severity::kOk, "2 threads of ranks 0-1 on n1 may use 2 cores (0-1), and likewise on");
  std::vector<RankFacts> small = alike(2, {0}, by_mpirun(2));
  for (RankFacts& rank : small) rank.reachable_cores = 1;
  check_only(check_cores(small, {.workers = 2}), Severity::kWarning,
             "2 threads of ranks 0-1 on n1 share 1 core (0)", "start at most 1 rank on a host");
}

TEST_CASE("ranks of a host that nobody has bound share its cores, and need no flags for that") {
  const std::vector<RankFacts> unbound = alike(2, cores(0, 8), by_mpirun(2));
  CHECK(shares_of_cores(unbound) == std::vector<int>{4, 4});
  check_only(check_cores(unbound, {.workers = 16}), Severity::kOk,
             "8 threads of ranks 0-1 on n1 may use 8 cores (0-7)");
  check_only(check_cores(alike(2, cores(0, 8), by_srun(2)), {.workers = 16}), Severity::kOk,
             "8 threads of ranks 0-1");
  std::vector<RankFacts> small = alike(4, cores(0, 2), by_mpirun(4));
  for (RankFacts& rank : small) rank.reachable_cores = 2;
  check_only(check_cores(small, {.workers = 4}), Severity::kWarning,
             "4 threads of ranks 0-3 on n1 share 2 cores (0-1)", "start at most 2 ranks on a host");
}

TEST_CASE("a share is of the cores that a rank may use, on its own host") {
  CHECK(shares_of_cores(job({healthy_rank("n1", cores(0, 4)), healthy_rank("n1", cores(4, 8)),
                             healthy_rank("n2", cores(0, 8)), healthy_rank("n2", cores(6, 8))})) ==
        std::vector<int>{4, 4, 7, 1});
  CHECK(shares_of_cores(alike(3, cores(0, 2), {})) == std::vector<int>{1, 1, 1});
  CHECK(shares_of_cores(alike(3, cores(0, 3), {})) == std::vector<int>{1, 1, 1});
}

TEST_CASE("threads of a worker that find too few cores") {
  check_only(check_cores(alike(2, {0, 1}, by_mpirun(2)), {.workers = 2, .threads_per_worker = 4}),
             Severity::kWarning, "8 threads of ranks 0-1 on n1 share 2 cores (0-1)",
             "'mpirun -np 2 --bind-to none localbatch run FILE'");
  check_only(
      check_cores(alike(2, cores(0, 8), by_mpirun(2)), {.workers = 2, .threads_per_worker = 6}),
      Severity::kWarning, "12 threads", "--set threads_per_worker=4");
  check_only(
      check_cores(alike(2, cores(0, 8), by_srun(2)), {.workers = 2, .threads_per_worker = 6}),
      Severity::kWarning, "12 threads", "#SBATCH --cpus-per-task=6 or --set threads_per_worker=4");
  check_only(check_cores(alike(1, cores(0, 8), {}), {.workers = 1, .threads_per_worker = 16}),
             Severity::kWarning, "16 threads of rank 0", "--set threads_per_worker=8");
}

TEST_CASE("ranks on different hosts do not share cores, and equal troubles are said once") {
  std::vector<RankFacts> ranks;
  for (const char* const host : {"n1", "n2", "n3"})
    for (int rank = 0; rank < 2; ++rank)
      ranks.push_back(healthy_rank(host, cores(0, 8), by_mpirun(6)));
  check_only(check_cores(job(ranks), {.workers = 24}), Severity::kOk,
             "8 threads of ranks 0-1 on n1 may use 8 cores (0-7), and likewise on 2 more hosts");
  check_only(check_cores(job(ranks), {.workers = 48, .threads_per_worker = 6}), Severity::kWarning,
             "12 threads of ranks 0-1 on n1 share 8 cores (0-7), and likewise on 2 more hosts",
             "--set threads_per_worker=4");
  ranks[2].cores = ranks[3].cores = {0};
  const Diagnoses found = check_cores(job(ranks), {.workers = 24});
  REQUIRE(found.size() == 2);
  CHECK(contains(found[0].text, "ranks 2-3 on n2 may use core 0 only"));
  CHECK(contains(found[1].text, "on n1 may use 8 cores (0-7), and likewise on 1 more host"));
}

TEST_CASE("workers that take turns on a few cores of many") {
  const Launch launch{.workers = 4};
  check_only(check_cores(alike(1, {3}, by_mpirun(1)), launch), Severity::kWarning,
             "the workers of rank 0 on n1 take turns on 1 core (3) of 8",
             "'mpirun -np 1 --bind-to none localbatch run FILE'");
  check_only(check_cores(alike(1, {3}, by_srun(1)), launch), Severity::kWarning, "take turns",
             "'srun --mpi=pmix -n 1 --cpus-per-task=4 localbatch run FILE'");
  check_only(
      check_cores(alike(1, {0}, {{"OMP_PROC_BIND", "true"}, {"OMP_PLACES", "cores"}}), launch),
      Severity::kWarning, "take turns", "unset OMP_PROC_BIND OMP_PLACES");
  // Whoever says taskset means it.
  check_only(check_cores(alike(1, {3}, {}), launch), Severity::kNote, "take turns", "taskset");
  check_only(check_cores(alike(1, {3}, {{"OMP_PROC_BIND", "false"}}), launch), Severity::kNote,
             "take turns", "taskset");
}

TEST_CASE("cores that Slurm gave to somebody else do not count as free") {
  Environment two_cores = by_srun(1);
  two_cores.emplace("SLURM_CPUS_ON_NODE", "2");
  check_only(check_cores(alike(1, {6, 7}, two_cores), {.workers = 4}), Severity::kOk,
             "2 threads of rank 0 on n1 may use 2 cores (6-7)");
}

TEST_CASE("tasks that got fewer cores than the job asks for each") {
  Environment environment = by_srun(2);
  environment.emplace("SLURM_CPUS_PER_TASK", "4");
  const auto ranks =
      job({healthy_rank("n1", {0}, environment), healthy_rank("n1", {1}, environment)});
  check_only(check_cores(ranks, {.workers = 2, .threads_per_worker = 4}), Severity::kWarning,
             "asks for 4 cores for each task, but rank 0 on n1 may use 1 core",
             "'srun --mpi=pmix -n 2 --cpus-per-task=4 localbatch run FILE'");
  check_only(check_cores(ranks, {.workers = 2}), Severity::kNote, "6 of 8 cores on n1 stay idle",
             "--set threads_per_worker=4 uses them");
}

TEST_CASE("idle cores are noted, with what would use them") {
  const auto two = alike(2, cores(0, 8), by_mpirun(2));
  check_only(check_cores(two, {.workers = 2, .threads_per_worker = 3}), Severity::kNote,
             "2 of 8 cores on n1 stay idle", "--set threads_per_worker=4 uses them");
  check_only(check_cores(two, {.workers = 7}), Severity::kNote, "1 of 8 cores on n1 stays idle");
  check_only(check_cores(two, {.workers = 2, .network = false}), Severity::kNote, "6 of 8 cores");
  check_only(check_cores(two, {}), Severity::kOk, "2 threads");  // nobody knows what will run
}

TEST_CASE("a system that does not tell its cores is not blamed") {
  CHECK(check_cores(alike(2, {}, by_mpirun(2)), {.workers = 2}).empty());
}

TEST_CASE("far more threads than cores are refused, a few hundred are not") {
  const auto one = alike(1, cores(0, 8), {});
  check_only(check_cores(one, {.workers = 2049}), Severity::kRefusal,
             "2049 threads of rank 0 on n1 for 8 cores, allowed are at most 256 for a core",
             "fewer workers");
  check_only(check_cores(one, {.workers = 2048}), Severity::kOk, "8 threads");
  const auto few = alike(1, {0}, {});
  check_only(check_cores(few, {.workers = 1, .threads_per_worker = 4000}), Severity::kRefusal,
             "4000 threads", "fewer workers");
}

TEST_CASE("what the workers of a host need is compared with its memory") {
  constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;
  std::vector<RankFacts> ranks = alike(2, cores(0, 8), by_mpirun(2));
  for (RankFacts& rank : ranks) rank.memory_bytes = 16 * kGibibyte;
  Launch launch{.workers = 6};
  CHECK(check_memory(ranks, launch).empty());  // nobody knows what will run
  launch.memory = [](int hosted, int slots) {
    return static_cast<std::uint64_t>(hosted + slots) * kGibibyte;
  };
  check_only(check_memory(ranks, launch), Severity::kOk, "need about 12.0 GiB");
  launch.workers = 12;
  check_only(check_memory(ranks, launch), Severity::kRefusal,
             "the workers on n1 need about 20.0 GiB of memory, and there are 16.0 GiB",
             "fewer workers");
  ranks[1].host = "n2";
  check_only(check_memory(ranks, launch), Severity::kOk, "need about 12.0 GiB");
  launch.runs = 2;
  check_only(check_memory(ranks, launch), Severity::kRefusal,
             "2 runs on n1 need together about 20.0 GiB", "fewer workers");
  for (RankFacts& rank : ranks) rank.memory_bytes = 0;  // the system does not tell
  check_only(check_memory(ranks, launch), Severity::kOk, "need about 20.0 GiB");
}

}  // namespace localbatch
