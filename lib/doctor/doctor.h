#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
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

/// The result of one check. A run prints warnings on standard error and does not start when
/// something is refused.
struct Diagnosis {
  Severity severity = Severity::kOk;
  std::string text = {};    ///< what was found
  std::string advice = {};  ///< what to do; empty where nothing is to be done

  std::string line() const;  ///< "text; advice"
};
using Diagnoses = std::vector<Diagnosis>;

/// Whether something is refused.
bool has_refusal(const Diagnoses& found);

/// Bytes of the largest files of a run.
struct OutputBytes {
  std::uint64_t checkpoint = 0;
  std::uint64_t final_parameters = 0;

  /// The most at a time: a new checkpoint is written before the older of two goes, and at the end
  /// the final parameters are beside two.
  std::uint64_t total() const { return 2 * checkpoint + std::max(checkpoint, final_parameters); }
};

/// The run that is to be launched.
struct Launch {
  std::optional<int> workers = {};  ///< nothing: not known yet; each rank is taken to host one
  int threads_per_worker = 1;
  bool network = true;  ///< false: a problem, whose workers compute on one thread each
  std::string command = "localbatch run FILE";   ///< without a launcher, for advice
  std::filesystem::path output = {};             ///< folder of the results
  std::optional<OutputBytes> output_bytes = {};  ///< nothing: not known, as nothing is loaded yet
  /// Bytes of memory of a rank with so many workers, of which `slots` compute at a time; empty: not
  /// known.
  std::function<std::uint64_t(int hosted_workers, int slots)> memory = {};
  int runs = 1;           ///< such ones at a time, each with its share of the cores
  bool may_write = true;  ///< into the folder of results, to find out whether that works
};

/// How many workers a rank hosts; 1 while nobody knows their number.
int hosted_by(const RankFacts& rank, const Launch& launch);

/// Threads of a rank that compute at the same time, with its share of the cores.
int computing_threads(const RankFacts& rank, int share, const Launch& launch);

// The checks. Each is a function of the facts of all ranks, in rank order, and returns
// Severity::kOk if it finds nothing wrong.

/// Does MPI connect what the launcher started, and is that what the batch job asked for?
Diagnoses check_launch(std::span<const RankFacts> ranks, const Launch& launch);

/// Has every rank its share of the workers?
Diagnoses check_shares(std::span<const RankFacts> ranks, const Launch& launch);

/// On every host: do threads that compute share cores, do workers wait for cores that they could
/// have, are cores idle?
Diagnoses check_cores(std::span<const RankFacts> ranks, const Launch& launch);

/// Do threads that compute share a core, as siblings of simultaneous multithreading (SMT)?
Diagnoses check_siblings(std::span<const RankFacts> ranks, const Launch& launch);

/// Have all hosts the same time?
Diagnoses check_clocks(std::span<const RankFacts> ranks);

/// Has every host the memory that its workers need?
Diagnoses check_memory(std::span<const RankFacts> ranks, const Launch& launch);

/// Do OpenMP's variables contradict the plan?
Diagnoses check_openmp(std::span<const RankFacts> ranks, const Launch& launch);

/// Are all CPUs alike, so that none waits for a slower one and results can be repeated?
Diagnoses check_cpus(std::span<const RankFacts> ranks);

/// Do all ranks run the same program with the same libraries?
Diagnoses check_versions(std::span<const RankFacts> ranks);

/// All of these checks. If the launch or the shares are refused, cores and memory are not checked.
Diagnoses diagnose(std::span<const RankFacts> ranks, const Launch& launch);

/// Whether a command line for this rank begins with srun: srun started it, or it stands alone in a
/// Slurm job.
bool starts_with_srun(const RankFacts& rank);

constexpr int kUnbound = 0;

/// "'srun --mpi=pmix -n 4 localbatch run FILE'" for the launcher and the MPI library that `rank`
/// has. `cores` for each rank: so many, or kUnbound: all that there are, shared with others; or
/// nothing: as the launcher likes.
std::string launch_line(const RankFacts& rank, int num_ranks, std::optional<int> cores,
                        const Launch& launch);

/// What diagnose() finds, and whether results can be written; to be called on rank 0, which writes
/// them.
Diagnoses examine(std::span<const RankFacts> ranks, const Launch& launch);

/// Calls `on_warning` with the line of each warning. If something is refused, throws an InputError
/// for the first refusal instead.
void act_on(const Diagnoses& found, const std::function<void(const std::string&)>& on_warning);

}  // namespace localbatch
