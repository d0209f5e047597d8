#include "experiment/diagnosis.h"
#include "experiment/launch_lines.h"

namespace localbatch {

namespace {

/// Parts of a program get the threads that they ask for, so this variable is only misleading.
void check_number(const RankFacts& rank, const Plan& plan, Diagnoses& found) {
  const auto number = number_in(rank.environment, "OMP_NUM_THREADS");
  if (number && plan.workers > 0 && *number != plan.threads_per_worker)
    found.push_back({.severity = Severity::kNote,
                     .text = fmt::format("OMP_NUM_THREADS={} on rank {} has no effect: "
                                         "threads_per_worker is {}",
                                         *number, rank.rank, plan.threads_per_worker)});
}

void check_limit(const RankFacts& rank, const Plan& plan, Diagnoses& found) {
  const auto limit = number_in(rank.environment, "OMP_THREAD_LIMIT");
  if (limit && *limit < plan.threads_per_worker)
    found.push_back({.severity = Severity::kWarning,
                     .text = fmt::format("OMP_THREAD_LIMIT={} on rank {} allows less than "
                                         "threads_per_worker: {}",
                                         *limit, rank.rank, plan.threads_per_worker),
                     .advice = "unset OMP_THREAD_LIMIT"});
}

/// OpenMP would bind the threads of all workers to the same places, as each of them is a program
/// of its own to it.
void check_places(const RankFacts& rank, Diagnoses& found) {
  for (const std::string& name : binding_variables(rank))
    found.push_back({.severity = Severity::kNote,
                     .text = fmt::format("{}={} on rank {} may bind the threads of all its workers "
                                         "to the same cores",
                                         name, rank.environment.at(name), rank.rank),
                     .advice = "unset " + name});
}

}  // namespace

Diagnoses check_openmp(std::span<const RankFacts> ranks, const Plan& plan) {
  // The first rank with a contradiction stands for all, which have the same environment.
  for (const RankFacts& rank : ranks) {
    Diagnoses found;
    check_number(rank, plan, found);
    check_limit(rank, plan, found);
    check_places(rank, found);
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace localbatch
