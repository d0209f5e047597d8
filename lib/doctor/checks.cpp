#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>

#include "comm/workers.h"
#include "core/error.h"
#include "core/text.h"
#include "doctor/doctor.h"
#include "train/slot_pool.h"

namespace localbatch {

namespace {

/// For a Slurm job of several tasks whose script starts the program without a launcher.
Diagnosis alone_in_a_job(const RankFacts& rank, int tasks, const Launch& launch) {
  const int useful = std::min(tasks, launch.workers.value_or(tasks));
  if (useful <= 1) return {.text = "one rank, as many as there are workers"};
  return {.severity = Severity::kWarning,
          .text = fmt::format("the Slurm job has {} tasks, but this process was started by neither "
                              "srun nor mpirun and works alone",
                              tasks),
          .advice = launch_line(rank, useful, {}, launch) + " uses them"};
}

}  // namespace

Diagnoses check_launch(std::span<const RankFacts> ranks, const Launch& launch) {
  const RankFacts& first = ranks.front();
  const int num_ranks = static_cast<int>(ranks.size());
  if (auto unconnected = find_unconnected_processes(first.environment, num_ranks, launch.command,
                                                    mpi_library(first.mpi)))
    return {{Severity::kRefusal, std::move(unconnected->found), std::move(unconnected->advice)}};

  const Launcher by = launcher(first.environment);
  const int tasks = number_in(first.environment, "SLURM_NTASKS").value_or(1);
  if (by == Launcher::kNone && num_ranks == 1) {
    if (tasks > 1) return {alone_in_a_job(first, tasks, launch)};
    return {{.text = "one rank, started without mpirun or srun"}};
  }
  Diagnoses found{{.text = fmt::format("MPI connects {}", counted(num_ranks, "rank"))}};
  if (by == Launcher::kMpirun && num_ranks < tasks)
    found.push_back({.severity = Severity::kNote,
                     .text = fmt::format("the Slurm job has {} tasks, and mpirun started {}", tasks,
                                         counted(num_ranks, "rank"))});
  return found;
}

Diagnoses check_shares(std::span<const RankFacts> ranks, const Launch& launch) {
  const int num_ranks = static_cast<int>(ranks.size());
  if (!launch.workers) return {};
  const int workers = *launch.workers;
  try {
    check_ranks(workers, num_ranks);
  } catch (const InputError& error) {
    return {{.severity = Severity::kRefusal, .text = error.what()}};
  }
  const int most = (workers + num_ranks - 1) / num_ranks;
  if (workers % num_ranks == 0)
    return {{.text = fmt::format("{} on each of {}", counted(most, "worker"),
                                 counted(num_ranks, "rank"))}};
  return {{.severity = Severity::kNote,
           .text = fmt::format("{} workers on {} ranks: some host {} and some {}, and the latter "
                               "wait in every round",
                               workers, num_ranks, most, most - 1)}};
}

namespace {

/// The cores of a host and what its ranks need of them.
struct HostCores {
  std::string name;
  std::vector<RankFacts> ranks;
  std::vector<int> cores;  ///< that at least one rank may use, ascending
  int reachable = 0;       ///< cores that the ranks could use if nobody had bound them
  int slots = 0;           ///< workers that compute at the same time
  int computing = 0;       ///< their threads
  int wanted = 0;          ///< threads of all workers
  int widest = 0;          ///< threads of all workers of one rank, the most
  int workers = 0;         ///< each of which is a thread as well, which mostly sleeps

  int num_ranks() const { return static_cast<int>(ranks.size()); }
  int num_cores() const { return static_cast<int>(cores.size()); }
  const RankFacts& first() const { return ranks.front(); }

  std::string rank_names() const {
    std::vector<int> numbers;
    numbers.reserve(ranks.size());
    for (const RankFacts& rank : ranks) numbers.push_back(rank.rank);
    return (numbers.size() == 1 ? "rank " : "ranks ") + number_ranges(numbers);
  }
};

void add_rank(HostCores& host, const RankFacts& rank, int share, const Launch& launch) {
  host.name = rank.host;
  host.ranks.push_back(rank);
  std::vector<int> both;
  std::ranges::set_union(host.cores, rank.cores, std::back_inserter(both));
  host.cores = std::move(both);
  const int hosted = hosted_by(rank, launch);
  const int computing = computing_threads(rank, share, launch);
  host.slots += computing / launch.threads_per_worker;
  host.computing += computing;
  host.wanted += hosted * launch.threads_per_worker;
  host.workers += hosted;
  host.widest = std::max(host.widest, hosted * launch.threads_per_worker);
  // Slurm's allocation, which counts where Slurm sets the affinity but no cgroup.
  const int given =
      number_in(rank.environment, "SLURM_CPUS_ON_NODE").value_or(rank.reachable_cores);
  host.reachable = std::max(
      {host.reachable, std::min(rank.reachable_cores, given), static_cast<int>(host.cores.size())});
}

/// The hosts in the order of their first ranks, without those whose system does not tell which
/// cores a process may use.
std::vector<HostCores> hosts_of(std::span<const RankFacts> ranks, const Launch& launch) {
  std::vector<HostCores> hosts;
  const std::vector<int> shares = shares_of_cores(ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const RankFacts& rank = ranks[i];
    if (rank.cores.empty()) continue;
    auto host = std::ranges::find(hosts, rank.host, &HostCores::name);
    if (host == hosts.end()) host = hosts.insert(host, HostCores{});
    add_rank(*host, rank, shares[i], launch);
  }
  return hosts;
}

std::string cores_for_each_rank(const HostCores& host, int cores, const Launch& launch) {
  return launch_line(host.first(), host.first().num_ranks, cores, launch);
}

/// Advice how the ranks can use all cores of the host.
std::string unbind(const HostCores& host, const Launch& launch) {
  const RankFacts& first = host.first();
  if (const auto names = binding_variables(first); !names.empty())
    return fmt::format("unset {}", join(names, " "));
  if (launcher(first.environment) == Launcher::kNone) return "start it without taskset";
  if (!starts_with_srun(first) && host.wanted <= host.reachable)
    return launch_line(first, first.num_ranks, kUnbound, launch);
  return cores_for_each_rank(
      host, std::clamp(host.reachable / host.num_ranks(), 1, std::max(1, host.widest)), launch);
}

// The checks of a host, in their order: the first one that finds something counts.

/// Some hundred threads that take turns on a core are slow. Far more of them exhaust the system,
/// and end in the middle of starting.
std::optional<Diagnosis> far_more_threads_than_cores(const HostCores& host,
                                                     const Launch& /*launch*/) {
  constexpr int kMostOfACore = 256;
  const int most = std::max(host.workers, host.computing);
  if (most <= kMostOfACore * host.reachable) return {};
  return Diagnosis{.severity = Severity::kRefusal,
                   .text = fmt::format("{} of {} on {} for {}, allowed are at most {} for a core",
                                       counted(most, "thread"), host.rank_names(), host.name,
                                       counted(host.reachable, "core"), kMostOfACore),
                   .advice = "start it on more hosts, or with fewer workers"};
}

std::optional<Diagnosis> one_core_for_several(const HostCores& host, const Launch& launch) {
  if (host.reachable == 1) return {};
  std::map<int, std::vector<int>> ranks_of;
  for (const RankFacts& rank : host.ranks)
    if (rank.cores.size() == 1) ranks_of[rank.cores.front()].push_back(rank.rank);
  for (const auto& [core, ranks] : ranks_of)
    if (ranks.size() > 1)
      return Diagnosis{.severity = Severity::kWarning,
                       .text = fmt::format("ranks {} on {} may use core {} only, all the same one",
                                           number_ranges(ranks), host.name, core),
                       .advice = unbind(host, launch)};
  return {};
}

std::optional<Diagnosis> fewer_cores_than_asked_for(const HostCores& host, const Launch& launch) {
  const RankFacts& first = host.first();
  const auto asked = number_in(first.environment, "SLURM_CPUS_PER_TASK");
  const int cores = static_cast<int>(first.cores.size());
  if (launcher(first.environment) != Launcher::kSrun || !asked || *asked <= cores ||
      host.widest <= cores)
    return {};
  return Diagnosis{
      .severity = Severity::kWarning,
      .text = fmt::format("the Slurm job asks for {} for each task, but rank {} on {} may use {}",
                          counted(*asked, "core"), first.rank, host.name, counted(cores, "core")),
      .advice = cores_for_each_rank(host, *asked, launch)};
}

/// Advice for a host with fewer cores than threads that compute.
std::string spread(const HostCores& host, const Launch& launch) {
  if (host.reachable >= host.computing) return unbind(host, launch);
  const int cores = host.reachable / host.num_ranks();
  if (cores >= launch.threads_per_worker) return cores_for_each_rank(host, cores, launch);
  if (cores == 0) return fmt::format("start at most {} on a host", counted(host.reachable, "rank"));
  std::string fewer = fmt::format("--set threads_per_worker={}", cores);
  if (starts_with_srun(host.first()))
    fewer = fmt::format("#SBATCH --cpus-per-task={} or {}", launch.threads_per_worker, fewer);
  return fewer;
}

std::optional<Diagnosis> more_threads_than_cores(const HostCores& host, const Launch& launch) {
  if (host.computing <= host.num_cores()) return {};
  return Diagnosis{
      .severity = Severity::kWarning,
      .text = fmt::format("{} of {} on {} share {} ({})", counted(host.computing, "thread"),
                          host.rank_names(), host.name, counted(host.num_cores(), "core"),
                          number_ranges(host.cores)),
      .advice = spread(host, launch)};
}

/// For ranks that are bound to fewer cores than the host has. A person who uses taskset has chosen
/// that; a person who uses mpirun may not know of it.
std::optional<Diagnosis> workers_in_turns(const HostCores& host, const Launch& launch) {
  if (host.computing >= host.wanted || host.num_cores() >= host.reachable) return {};
  const bool meant = launcher(host.first().environment) == Launcher::kNone &&
                     binding_variables(host.first()).empty();
  return Diagnosis{
      .severity = meant ? Severity::kNote : Severity::kWarning,
      .text = fmt::format("the workers of {} on {} take turns on {} ({}) of {}", host.rank_names(),
                          host.name, counted(host.num_cores(), "core"), number_ranges(host.cores),
                          host.reachable),
      .advice = unbind(host, launch)};
}

std::optional<Diagnosis> idle_cores(const HostCores& host, const Launch& launch) {
  const int idle = host.reachable - host.computing;
  if (!launch.workers || idle <= 0) return {};
  const int threads = host.reachable / host.slots;
  return Diagnosis{
      .severity = Severity::kNote,
      .text = fmt::format("{} of {} on {} stay{} idle", idle, counted(host.reachable, "core"),
                          host.name, idle == 1 ? "s" : ""),
      .advice = launch.network && threads > launch.threads_per_worker
                    ? fmt::format("--set threads_per_worker={} uses them", threads)
                    : ""};
}

std::optional<Diagnosis> all_well(const HostCores& host, const Launch& /*launch*/) {
  return Diagnosis{.text =
                       fmt::format("{} of {} on {} may use {} ({})",
                                   counted(host.computing, "thread"), host.rank_names(), host.name,
                                   counted(host.num_cores(), "core"), number_ranges(host.cores))};
}

constexpr std::array kHostChecks{&far_more_threads_than_cores,
                                 &one_core_for_several,
                                 &fewer_cores_than_asked_for,
                                 &more_threads_than_cores,
                                 &workers_in_turns,
                                 &idle_cores,
                                 &all_well};

}  // namespace

Diagnoses check_cores(std::span<const RankFacts> ranks, const Launch& launch) {
  // Equal hosts have equal problems: the first of each kind is reported with the number of the
  // others.
  std::array<Diagnoses, kHostChecks.size()> by_kind;
  for (const HostCores& host : hosts_of(ranks, launch))
    for (std::size_t kind = 0; kind < kHostChecks.size(); ++kind)
      if (auto found = kHostChecks[kind](host, launch)) {
        by_kind[kind].push_back(std::move(*found));
        break;
      }
  Diagnoses all;
  for (const Diagnoses& alike : by_kind) {
    if (alike.empty()) continue;
    all.push_back(alike.front());
    if (alike.size() > 1)
      all.back().text += fmt::format(", and likewise on {}",
                                     counted(static_cast<int>(alike.size()) - 1, "more host"));
  }
  return all;
}

namespace {

/// Every team of threads has an explicit size, so OMP_NUM_THREADS has no effect and is misleading.
void check_number(const RankFacts& rank, const Launch& launch, Diagnoses& found) {
  const auto number = number_in(rank.environment, "OMP_NUM_THREADS");
  if (number && launch.workers && *number != launch.threads_per_worker)
    found.push_back({.severity = Severity::kNote,
                     .text = fmt::format("OMP_NUM_THREADS={} on rank {} has no effect: "
                                         "threads_per_worker is {}",
                                         *number, rank.rank, launch.threads_per_worker)});
}

void check_limit(const RankFacts& rank, const Launch& launch, Diagnoses& found) {
  const auto limit = number_in(rank.environment, "OMP_THREAD_LIMIT");
  if (limit && *limit < launch.threads_per_worker)
    found.push_back({.severity = Severity::kWarning,
                     .text = fmt::format("OMP_THREAD_LIMIT={} on rank {} allows less than "
                                         "threads_per_worker: {}",
                                         *limit, rank.rank, launch.threads_per_worker),
                     .advice = "unset OMP_THREAD_LIMIT"});
}

/// OpenMP would bind the threads of all workers to the same places, as every worker has a team of
/// its own.
void check_places(const RankFacts& rank, Diagnoses& found) {
  for (const std::string& name : binding_variables(rank))
    found.push_back({.severity = Severity::kNote,
                     .text = fmt::format("{}={} on rank {} may bind the threads of all its workers "
                                         "to the same cores",
                                         name, rank.environment.at(name), rank.rank),
                     .advice = "unset " + name});
}

}  // namespace

Diagnoses check_openmp(std::span<const RankFacts> ranks, const Launch& launch) {
  // The first rank with a contradiction stands for all, which have the same environment.
  for (const RankFacts& rank : ranks) {
    Diagnoses found;
    check_number(rank, launch, found);
    check_limit(rank, launch, found);
    check_places(rank, found);
    if (!found.empty()) return found;
  }
  return {};
}

namespace {

using FactReader = std::function<std::string(const RankFacts&)>;

/// "n1, n2 and 14 more"
std::string host_list(const std::vector<std::string>& hosts) {
  constexpr std::size_t kMost = 4;
  const std::size_t named = std::min(hosts.size(), kMost);
  const std::string names = join(std::span(hosts).first(named), ", ");
  return hosts.size() == named ? names : fmt::format("{} and {} more", names, hosts.size() - named);
}

/// "2.6.3 on n1; 3.1.0 on n2, n3" when a value is not the same everywhere, else nothing.
std::string differences(std::span<const RankFacts> ranks, const FactReader& value) {
  std::map<std::string, std::vector<std::string>> hosts_of;
  for (const RankFacts& rank : ranks) {
    std::vector<std::string>& hosts = hosts_of[value(rank)];
    if (std::ranges::find(hosts, rank.host) == hosts.end()) hosts.push_back(rank.host);
  }
  if (hosts_of.size() < 2) return {};
  std::vector<std::string> parts;
  parts.reserve(hosts_of.size());
  for (const auto& [text, hosts] : hosts_of)
    parts.push_back(fmt::format("{} on {}", text, host_list(hosts)));
  return join(parts, "; ");
}

std::string instructions(const RankFacts& rank) {
  return fmt::format("{} ({})", rank.instruction_set, rank.cpu_flags);
}

}  // namespace

Diagnoses check_cpus(std::span<const RankFacts> ranks) {
  // Not a refusal: the run is correct. But oneDNN's kernels, and with them the rounding of results,
  // follow the instruction set, so it takes the same mix of machines to repeat it.
  if (const std::string found = differences(ranks, instructions); !found.empty())
    return {{.severity = Severity::kWarning,
             .text = "the CPUs have different instruction sets: " + found +
                     ". The bytes of results will depend on which worker runs where",
             .advice = "start on hosts of one kind (Slurm: --constraint=FEATURE)"}};
  if (const std::string found = differences(ranks, &RankFacts::cpu); !found.empty())
    return {{.severity = Severity::kWarning,
             .text = "the CPUs are different: " + found + ". Every round waits for the slowest",
             .advice = "start on hosts of one kind (Slurm: --constraint=FEATURE)"}};
  return {{.text = "one kind of CPU: " + ranks.front().cpu}};
}

Diagnoses check_versions(std::span<const RankFacts> ranks) {
  Diagnoses found;
  const auto compare = [&](const char* what, const FactReader& value) {
    if (const std::string different = differences(ranks, value); !different.empty())
      found.push_back({.severity = Severity::kRefusal,
                       .text = fmt::format("the ranks have different {}: {}", what, different),
                       .advice = "start one build with the same libraries on all hosts"});
  };
  compare("programs", &RankFacts::program);
  compare("versions of oneDNN", &RankFacts::onednn);
  compare("versions of MPI", &RankFacts::mpi);
  if (found.empty()) {
    const RankFacts& first = ranks.front();
    found.push_back(
        {.text = fmt::format("{}, oneDNN {}, {}", first.program, first.onednn, first.mpi)});
  }
  return found;
}

}  // namespace localbatch
