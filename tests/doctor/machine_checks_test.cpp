#include "doctor/rank_fixtures.h"

namespace localbatch {

namespace {

std::vector<RankFacts> three_hosts() {
  return job({healthy_rank("n1", cores(0, 8)), healthy_rank("n2", cores(0, 8)),
              healthy_rank("n3", cores(0, 8))});
}

Diagnoses openmp(const Environment& environment, const Launch& launch) {
  return check_openmp(job({healthy_rank("n1", cores(0, 8), environment)}), launch);
}

}  // namespace

TEST_CASE("equal machines are in order") {
  check_only(check_cpus(three_hosts()), Severity::kOk, "one kind of CPU: EPYC");
  check_only(check_versions(three_hosts()), Severity::kOk,
             "localbatch 1 (abc), oneDNN 2.6.3, Open MPI v4.1.4");
}

TEST_CASE("another CPU makes everybody wait: a warning that says where it is") {
  std::vector<RankFacts> ranks = three_hosts();
  ranks[1].cpu = "Xeon";
  check_only(check_cpus(ranks), Severity::kWarning, "EPYC on n1, n3; Xeon on n2", "one kind");
}

TEST_CASE("another instruction set changes the bytes of results: a warning that says so") {
  for (const bool by_flags : {false, true}) {
    std::vector<RankFacts> ranks = three_hosts();
    (by_flags ? ranks[2].cpu_flags : ranks[2].instruction_set) = "avx2";
    ranks[2].cpu = "older";
    check_only(check_cpus(ranks), Severity::kWarning, "bytes of results", "one kind");
    CHECK(contains(check_cpus(ranks).front().text, "avx512_core (avx2 avx512f) on n1, n2"));
  }
}

TEST_CASE("a long list of hosts is cut") {
  std::vector<RankFacts> ranks;
  for (int host = 0; host < 9; ++host) {
    ranks.push_back(healthy_rank(fmt::format("n{}", host), cores(0, 8)));
    ranks.push_back(ranks.back());
  }
  ranks.back().cpu = "Xeon";
  CHECK(contains(check_cpus(job(ranks)).front().text,
                 "EPYC on n0, n1, n2, n3 and 5 more; Xeon on n8"));
}

TEST_CASE("different programs or libraries are refused, each by its name") {
  for (auto [member, what] : {std::pair{&RankFacts::program, "programs"},
                              {&RankFacts::onednn, "versions of oneDNN"},
                              {&RankFacts::mpi, "versions of MPI"}}) {
    std::vector<RankFacts> ranks = three_hosts();
    ranks[2].*member = "zz";
    check_only(check_versions(ranks), Severity::kRefusal, what, "one build");
    CHECK(contains(check_versions(ranks).front().text, "on n1, n2; zz on n3"));
  }
}

TEST_CASE("variables of OpenMP that contradict the plan") {
  const Launch launch{.workers = 2, .threads_per_worker = 4};
  CHECK(openmp({}, launch).empty());
  CHECK(openmp({{"OMP_NUM_THREADS", "4"}}, launch).empty());
  CHECK(openmp({{"OMP_NUM_THREADS", "1"}}, {}).empty());
  check_only(openmp({{"OMP_NUM_THREADS", "1"}}, launch), Severity::kNote,
             "OMP_NUM_THREADS=1 on rank 0 has no effect: threads_per_worker is 4");
  check_only(openmp({{"OMP_NUM_THREADS", "8,2"}}, launch), Severity::kNote, "OMP_NUM_THREADS=8");
  CHECK(openmp({{"OMP_THREAD_LIMIT", "4"}}, launch).empty());
  check_only(openmp({{"OMP_THREAD_LIMIT", "3"}}, launch), Severity::kWarning, "OMP_THREAD_LIMIT=3",
             "unset OMP_THREAD_LIMIT");
  check_only(openmp({{"GOMP_CPU_AFFINITY", "0-3"}}, launch), Severity::kNote,
             "GOMP_CPU_AFFINITY=0-3", "unset GOMP_CPU_AFFINITY");
  check_only(openmp({{"OMP_PLACES", "cores"}}, launch), Severity::kNote, "same cores",
             "OMP_PLACES");
  CHECK(openmp({{"OMP_PROC_BIND", "false"}}, launch).empty());
  CHECK(openmp({{"OMP_PROC_BIND", "close"}}, launch).size() == 1);
}

TEST_CASE("a contradiction on all ranks is said once") {
  std::vector<RankFacts> ranks = three_hosts();
  ranks[1].environment = ranks[2].environment = {{"OMP_NUM_THREADS", "7"}};
  check_only(check_openmp(ranks, {.workers = 3}), Severity::kNote, "on rank 1");
}

}  // namespace localbatch
