#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "doctor/rank_facts.h"

namespace localbatch {

enum class Severity {
  kOk,
  kNote,     ///< worth knowing
  kWarning,  ///< a run would be slow or hard to repeat
  kRefusal,  ///< a run would be wrong, or fail late
};
std::string_view severity_name(Severity severity);

/// One thing that was looked at. A run says warnings on standard error and does not start when
/// something is refused.
struct Diagnosis {
  Severity severity = Severity::kOk;
  std::string text = {};    ///< what was found
  std::string advice = {};  ///< what to do; empty where nothing is to be done

  std::string line() const;  ///< "text; advice"
};
using Diagnoses = std::vector<Diagnosis>;

/// What is going to run.
struct Launch {
  int workers = 0;  ///< 0: not known yet; then each rank is taken to host one
  int threads_per_worker = 1;
  bool network = true;  ///< false: a problem, whose workers compute on one thread each
  std::string command = "localbatch run FILE";  ///< without a launcher, for advice
  std::filesystem::path output = {};            ///< folder of the results
  std::uint64_t output_bytes = 0;               ///< that a run writes at least; 0: not known
};

// The checks. Each is a function of facts that are there for every rank, in rank order, and says
// Severity::kOk where all is well.

/// Does MPI connect what the launcher started, and is that what the batch job asked for?
Diagnoses check_launch(std::span<const RankFacts> ranks, const Launch& launch);

/// Has every rank its share of the workers?
Diagnoses check_shares(std::span<const RankFacts> ranks, const Launch& launch);

/// On every host: do threads that compute share cores, do workers wait for cores that they could
/// have, are cores idle?
Diagnoses check_cores(std::span<const RankFacts> ranks, const Launch& launch);

/// Do OpenMP's variables contradict the plan?
Diagnoses check_openmp(std::span<const RankFacts> ranks, const Launch& launch);

/// Are all CPUs alike, so that none waits for a slower one and results can be repeated?
Diagnoses check_cpus(std::span<const RankFacts> ranks);

/// Do all ranks run the same program with the same libraries?
Diagnoses check_versions(std::span<const RankFacts> ranks);

/// All of these. Where a launch or the shares are refused, cores are not looked at.
Diagnoses diagnose(std::span<const RankFacts> ranks, const Launch& launch);

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
                               std::string_view srun_flags, const Launch& launch) {
  return starts_with_srun(rank)
             ? fmt::format("'srun --mpi=pmix -n {}{} {}'", num_ranks, srun_flags, launch.command)
             : fmt::format("'mpirun -np {}{} {}'", num_ranks, mpirun_flags, launch.command);
}

/// "1 core", "2 cores"
inline std::string counted(int count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

/// Everything that diagnose() looks at, and the folder of the results. For rank 0, which writes
/// them.
Diagnoses examine(std::span<const RankFacts> ranks, const Launch& launch);

/// Says warnings, one line each. Throws an InputError for the first refusal, and then says nothing
/// else.
void check_before_run(std::span<const RankFacts> ranks, const Launch& launch,
                      const std::function<void(const std::string&)>& on_warning);

}  // namespace localbatch
