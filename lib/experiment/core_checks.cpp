#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "comm/run_workers.h"
#include "experiment/diagnosis.h"
#include "experiment/launch_lines.h"
#include "experiment/training_task.h"

namespace localbatch {

namespace {

/// What the ranks of a host want of its cores.
struct Host {
  std::string name;
  std::vector<RankFacts> ranks;
  std::vector<int> cores;  ///< that at least one rank may use, ascending
  int reachable = 0;       ///< cores that the ranks could use if nobody had bound them
  int slots = 0;           ///< workers that compute at the same time
  int computing = 0;       ///< their threads
  int wanted = 0;          ///< threads of all workers
  int widest = 0;          ///< threads of all workers of one rank, the most

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

void add_rank(Host& host, const RankFacts& rank, const Plan& plan) {
  host.name = rank.host;
  host.ranks.push_back(rank);
  std::vector<int> both;
  std::ranges::set_union(host.cores, rank.cores, std::back_inserter(both));
  host.cores = std::move(both);
  const int hosted =
      plan.workers == 0 ? 1 : hosted_workers(plan.workers, rank.rank, rank.num_ranks).count;
  const int cores = static_cast<int>(rank.cores.size());
  const int slots = execution_slots(cores, plan.threads_per_worker, hosted);
  host.slots += slots;
  host.computing += slots * plan.threads_per_worker;
  host.wanted += hosted * plan.threads_per_worker;
  host.widest = std::max(host.widest, hosted * plan.threads_per_worker);
  // What Slurm gave to the job, where it only binds and does not fence in.
  const int given =
      number_in(rank.environment, "SLURM_CPUS_ON_NODE").value_or(rank.reachable_cores);
  host.reachable = std::max(
      {host.reachable, std::min(rank.reachable_cores, given), static_cast<int>(host.cores.size())});
}

/// Hosts in the order of their first ranks; without those that do not tell what their cores are.
std::vector<Host> hosts_of(std::span<const RankFacts> ranks, const Plan& plan) {
  std::vector<Host> hosts;
  for (const RankFacts& rank : ranks) {
    if (rank.cores.empty()) continue;
    auto host = std::ranges::find(hosts, rank.host, &Host::name);
    if (host == hosts.end()) host = hosts.insert(host, Host{});
    add_rank(*host, rank, plan);
  }
  return hosts;
}

std::string cores_for_each_rank(const Host& host, int cores, const Plan& plan) {
  return launch_line(host.first(), host.first().num_ranks,
                     fmt::format(" --map-by slot:PE={} --bind-to core", cores),
                     fmt::format(" --cpus-per-task={}", cores), plan);
}

/// How the ranks get at the cores that are there.
std::string unbind(const Host& host, const Plan& plan) {
  const RankFacts& first = host.first();
  if (const auto names = binding_variables(first); !names.empty())
    return fmt::format("unset {}", fmt::join(names, " "));
  if (launcher(first.environment) == Launcher::kNone) return "start it without taskset";
  if (!starts_with_srun(first) && host.wanted <= host.reachable)
    return launch_line(first, first.num_ranks, " --bind-to none", "", plan);
  return cores_for_each_rank(
      host, std::clamp(host.reachable / host.num_ranks(), 1, std::max(1, host.widest)), plan);
}

// What can be wrong on a host, in the order in which it is looked for: the first answer counts.

std::optional<Diagnosis> one_core_for_several(const Host& host, const Plan& plan) {
  if (host.reachable == 1) return {};
  std::map<int, std::vector<int>> ranks_of;
  for (const RankFacts& rank : host.ranks)
    if (rank.cores.size() == 1) ranks_of[rank.cores.front()].push_back(rank.rank);
  for (const auto& [core, ranks] : ranks_of)
    if (ranks.size() > 1)
      return Diagnosis{.severity = Severity::kWarning,
                       .text = fmt::format("ranks {} on {} may use core {} only, all the same one",
                                           number_ranges(ranks), host.name, core),
                       .advice = unbind(host, plan)};
  return {};
}

std::optional<Diagnosis> fewer_cores_than_asked_for(const Host& host, const Plan& plan) {
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
      .advice = cores_for_each_rank(host, *asked, plan)};
}

/// What helps when the cores of a host are too few for the threads that compute.
std::string spread(const Host& host, const Plan& plan) {
  if (host.reachable >= host.computing) return unbind(host, plan);
  const int cores = host.reachable / host.num_ranks();
  if (cores >= plan.threads_per_worker) return cores_for_each_rank(host, cores, plan);
  if (cores == 0) return fmt::format("start at most {} on a host", counted(host.reachable, "rank"));
  std::string fewer = fmt::format("--set threads_per_worker={}", cores);
  if (starts_with_srun(host.first()))
    fewer = fmt::format("#SBATCH --cpus-per-task={} or {}", plan.threads_per_worker, fewer);
  return fewer;
}

std::optional<Diagnosis> more_threads_than_cores(const Host& host, const Plan& plan) {
  if (host.computing <= host.num_cores()) return {};
  return Diagnosis{
      .severity = Severity::kWarning,
      .text = fmt::format("{} of {} on {} share {} ({})", counted(host.computing, "thread"),
                          host.rank_names(), host.name, counted(host.num_cores(), "core"),
                          number_ranges(host.cores)),
      .advice = spread(host, plan)};
}

/// Bound to less than there is. Who says taskset knows what he does; who says mpirun may not.
std::optional<Diagnosis> workers_in_turns(const Host& host, const Plan& plan) {
  if (host.computing >= host.wanted || host.num_cores() >= host.reachable) return {};
  const bool meant = launcher(host.first().environment) == Launcher::kNone &&
                     binding_variables(host.first()).empty();
  return Diagnosis{
      .severity = meant ? Severity::kNote : Severity::kWarning,
      .text = fmt::format("the workers of {} on {} take turns on {} ({}) of {}", host.rank_names(),
                          host.name, counted(host.num_cores(), "core"), number_ranges(host.cores),
                          host.reachable),
      .advice = unbind(host, plan)};
}

std::optional<Diagnosis> idle_cores(const Host& host, const Plan& plan) {
  const int idle = host.reachable - host.computing;
  if (plan.workers == 0 || idle <= 0) return {};
  const int threads = host.reachable / host.slots;
  return Diagnosis{
      .severity = Severity::kNote,
      .text = fmt::format("{} of {} on {} stay{} idle", idle, counted(host.reachable, "core"),
                          host.name, idle == 1 ? "s" : ""),
      .advice = plan.network && threads > plan.threads_per_worker
                    ? fmt::format("--set threads_per_worker={} uses them", threads)
                    : ""};
}

std::optional<Diagnosis> all_well(const Host& host, const Plan& /*plan*/) {
  return Diagnosis{.text =
                       fmt::format("{} of {} on {} may use {} ({})",
                                   counted(host.computing, "thread"), host.rank_names(), host.name,
                                   counted(host.num_cores(), "core"), number_ranges(host.cores))};
}

constexpr std::array kHostChecks{&one_core_for_several,
                                 &fewer_cores_than_asked_for,
                                 &more_threads_than_cores,
                                 &workers_in_turns,
                                 &idle_cores,
                                 &all_well};

}  // namespace

Diagnoses check_cores(std::span<const RankFacts> ranks, const Plan& plan) {
  // A cluster of equal hosts has equal troubles: one of each kind is said, and how many there are.
  std::array<Diagnoses, kHostChecks.size()> by_kind;
  for (const Host& host : hosts_of(ranks, plan))
    for (std::size_t kind = 0; kind < kHostChecks.size(); ++kind)
      if (auto found = kHostChecks[kind](host, plan)) {
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

}  // namespace localbatch
