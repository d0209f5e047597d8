#include "doctor/rank_fixtures.h"

namespace localbatch {

namespace {

/// Eight hardware threads of four cores, as Linux numbers them: 0 and 4 are siblings.
RankFacts smt_rank(const std::vector<int>& its_cores, const Environment& environment = {}) {
  RankFacts rank = healthy_rank("n1", its_cores, environment);
  for (const int core : its_cores) rank.first_siblings.push_back(core % 4);
  return rank;
}

std::vector<RankFacts> with_clocks(const std::vector<double>& clocks) {
  std::vector<RankFacts> ranks;
  for (std::size_t i = 0; i < clocks.size(); ++i) {
    ranks.push_back(healthy_rank(fmt::format("n{}", i / 2 + 1), cores(0, 8)));
    ranks.back().clock = clocks[i];
  }
  return job(ranks);
}

}  // namespace

TEST_CASE("more computing threads than cores behind the hardware threads: a note on siblings") {
  const std::vector<RankFacts> unbound = job({smt_rank(cores(0, 8))});
  check_only(check_siblings(unbound, {.workers = 8}), Severity::kNote,
             "8 threads of rank 0 on n1 may use 8 hardware threads of 4 cores");
  CHECK(check_siblings(unbound, {.workers = 4}).empty());

  const std::vector<RankFacts> beside = job({smt_rank({0}), smt_rank({4})});
  check_only(check_siblings(beside, {.workers = 2}), Severity::kNote,
             "2 threads of ranks 0-1 on n1 may use 2 hardware threads of 1 core");
  CHECK(check_siblings(job({smt_rank({0}), smt_rank({1})}), {.workers = 2}).empty());
}

TEST_CASE("a rank on siblings is found while other ranks leave cores idle") {
  const std::vector<RankFacts> ranks = job({smt_rank({0, 4}), smt_rank({1, 2, 3})});
  check_only(check_siblings(ranks, {.workers = 4}), Severity::kNote,
             "2 threads of rank 0 on n1 may use 2 hardware threads of 1 core");
  CHECK(check_siblings(job({smt_rank({1, 2}), smt_rank({0, 4}), smt_rank({3})}), {.workers = 3})
            .empty());
}

TEST_CASE("under Slurm the note on siblings says what gives each task a core of its own") {
  check_only(check_siblings(job({smt_rank({0, 4}, by_srun(1))}), {.workers = 2}), Severity::kNote,
             "SMT", "--hint=nomultithread");
}

TEST_CASE("a system that does not tell of siblings is left in peace") {
  CHECK(check_siblings(job({healthy_rank("n1", cores(0, 8))}), {.workers = 8}).empty());
}

TEST_CASE("clocks that differ by more than a second are noted, with the hosts") {
  check_only(check_clocks(with_clocks({1000, 1000, 1003.5, 1003.5})), Severity::kNote,
             "the clock of n2 is 3.5 s ahead of that of n1", "NTP");
  check_only(check_clocks(with_clocks({1000, 1000, 1000.9, 1000.9})), Severity::kOk,
             "agree within a second");
  CHECK(check_clocks(with_clocks({1000, 1007})).empty());  // one host has one clock
  CHECK(check_clocks(with_clocks({0, 0, 1000, 1000})).empty());
}

TEST_CASE("of a host the rank that looked first counts: others may have waited for a core") {
  check_only(check_clocks(with_clocks({1000, 1000, 1005, 1000.1})), Severity::kOk, "agree");
}

TEST_CASE("variables that tune MPI are those of people, not those by which launchers speak") {
  for (const char* const name :
       {"OMPI_MCA_btl", "OMPI_MCA_rmaps_base_oversubscribe", "PMIX_MCA_gds", "PRTE_MCA_rmaps",
        "I_MPI_FABRICS", "MPICH_ASYNC_PROGRESS", "UCX_TLS", "FI_PROVIDER"})
    CHECK_MESSAGE(tunes_mpi(name), name);
  for (const char* const name :
       {"OMPI_COMM_WORLD_RANK", "OMPI_MCA_ess_base_vpid", "OMPI_MCA_orte_hnp_uri", "PMIX_RANK",
        "PMIX_SERVER_URI41", "I_MPI_INFO_NUMA_NODE_NUM", "PATH", "FILE", "OMP_NUM_THREADS"})
    CHECK_FALSE_MESSAGE(tunes_mpi(name), name);
}

}  // namespace localbatch
