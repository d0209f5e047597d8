#include <algorithm>

#include "comm/run_workers.h"
#include "core/error.h"
#include "experiment/diagnosis.h"
#include "experiment/launch_lines.h"

namespace localbatch {

namespace {

/// A job of several tasks whose script starts the program as it would start any other.
Diagnosis alone_in_a_job(const RankFacts& rank, int tasks, const Plan& plan) {
  const int useful = plan.workers > 0 ? std::min(tasks, plan.workers) : tasks;
  if (useful <= 1) return {.text = "one rank, as many as there are workers"};
  return {.severity = Severity::kWarning,
          .text = fmt::format("the Slurm job has {} tasks, but this process was started by neither "
                              "srun nor mpirun and works alone",
                              tasks),
          .advice = launch_line(rank, useful, "", "", plan) + " uses them"};
}

}  // namespace

Diagnoses check_launch(std::span<const RankFacts> ranks, const Plan& plan) {
  const RankFacts& first = ranks.front();
  const int num_ranks = static_cast<int>(ranks.size());
  if (auto unconnected = find_unconnected_processes(first.environment, num_ranks, plan.command))
    return {{Severity::kRefusal, std::move(unconnected->found), std::move(unconnected->advice)}};

  const Launcher by = launcher(first.environment);
  const int tasks = number_in(first.environment, "SLURM_NTASKS").value_or(1);
  if (by == Launcher::kNone && num_ranks == 1) {
    if (tasks > 1) return {alone_in_a_job(first, tasks, plan)};
    return {{.text = "one rank, started without mpirun or srun"}};
  }
  Diagnoses found{{.text = fmt::format("MPI connects {}", counted(num_ranks, "rank"))}};
  if (by == Launcher::kMpirun && num_ranks < tasks)
    found.push_back({.severity = Severity::kNote,
                     .text = fmt::format("the Slurm job has {} tasks, and mpirun started {}", tasks,
                                         counted(num_ranks, "rank"))});
  return found;
}

Diagnoses check_shares(std::span<const RankFacts> ranks, const Plan& plan) {
  const int num_ranks = static_cast<int>(ranks.size());
  if (plan.workers == 0) return {};
  try {
    check_ranks(plan.workers, num_ranks);
  } catch (const InputError& error) {
    return {{.severity = Severity::kRefusal, .text = error.what()}};
  }
  const int most = (plan.workers + num_ranks - 1) / num_ranks;
  if (plan.workers % num_ranks == 0)
    return {{.text = fmt::format("{} on each of {}", counted(most, "worker"),
                                 counted(num_ranks, "rank"))}};
  return {{.severity = Severity::kNote,
           .text = fmt::format("{} workers on {} ranks: some host {} and some {}, and the latter "
                               "wait in every round",
                               plan.workers, num_ranks, most, most - 1)}};
}

}  // namespace localbatch
