#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "experiment/diagnosis.h"

namespace localbatch {

/// Whether a command line for this rank begins with srun: srun started it, or it stands alone in a
/// Slurm job.
inline bool starts_with_srun(const RankFacts& rank) {
  const Launcher by = launcher(rank.environment);
  return by == Launcher::kSrun ||
         (by == Launcher::kNone && rank.environment.contains("SLURM_JOB_ID"));
}

/// "'srun --mpi=pmix -n 4 localbatch run FILE'" for the launcher that `rank` has; flags begin with
/// a space.
inline std::string launch_line(const RankFacts& rank, int num_ranks, std::string_view mpirun_flags,
                               std::string_view srun_flags, const Plan& plan) {
  return starts_with_srun(rank)
             ? fmt::format("'srun --mpi=pmix -n {}{} {}'", num_ranks, srun_flags, plan.command)
             : fmt::format("'mpirun -np {}{} {}'", num_ranks, mpirun_flags, plan.command);
}

/// "1 core", "2 cores"
inline std::string counted(int count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

}  // namespace localbatch
