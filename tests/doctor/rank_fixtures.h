#pragma once

#include <doctest/doctest.h>

#include <numeric>
#include <string>
#include <vector>

#include "data/fixtures.h"
#include "doctor/doctor.h"

namespace localbatch {

/// begin, begin + 1, ..., end - 1
inline std::vector<int> cores(int begin, int end) {
  std::vector<int> numbers(end - begin);
  std::iota(numbers.begin(), numbers.end(), begin);
  return numbers;
}

/// A rank of a job that has nothing wrong: all alike, on a host of eight cores.
inline RankFacts healthy_rank(const std::string& host, const std::vector<int>& its_cores,
                              const Environment& environment = {}) {
  return {.host = host,
          .cpu = "EPYC",
          .instruction_set = "avx512_core",
          .cpu_flags = "avx2 avx512f",
          .cores = its_cores,
          .reachable_cores = 8,
          .program = "localbatch 1 (abc)",
          .onednn = "2.6.3",
          .mpi = "Open MPI v4.1.4",
          .environment = environment};
}

/// Ranks of one job in their order.
inline std::vector<RankFacts> job(std::vector<RankFacts> ranks) {
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    ranks[rank].rank = static_cast<int>(rank);
    ranks[rank].num_ranks = static_cast<int>(ranks.size());
  }
  return ranks;
}

inline Environment by_mpirun(int ranks) {
  return {{"OMPI_COMM_WORLD_SIZE", std::to_string(ranks)}};
}
inline Environment by_srun(int tasks) {
  return {{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_NUM_TASKS", std::to_string(tasks)}};
}

/// One diagnosis of this severity whose text and advice contain these parts.
inline void check_only(const Diagnoses& found, Severity severity, const std::string& text,
                       const std::string& advice = {}) {
  REQUIRE(found.size() == 1);
  CAPTURE(found.front().line());
  CHECK(severity_name(found.front().severity) == severity_name(severity));
  CHECK(contains(found.front().text, text));
  if (advice.empty())
    CHECK(found.front().advice.empty());
  else
    CHECK(contains(found.front().advice, advice));
}

}  // namespace localbatch
