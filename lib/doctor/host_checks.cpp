#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "core/text.h"
#include "doctor/doctor.h"

namespace localbatch {

namespace {

/// Hardware threads that some ranks may use, the cores that these belong to, and the threads that
/// compute there.
struct HardwareThreads {
  std::set<int> all, cores;
  std::vector<int> ranks;
  int computing = 0;

  void add(const RankFacts& rank, int threads) {
    all.insert(rank.cores.begin(), rank.cores.end());
    cores.insert(rank.first_siblings.begin(), rank.first_siblings.end());
    ranks.push_back(rank.rank);
    computing += threads;
  }

  bool share_cores() const {
    return cores.size() < all.size() && computing > static_cast<int>(cores.size());
  }
};

Diagnosis siblings_compute(const std::string& host, const HardwareThreads& found,
                           const RankFacts& rank) {
  return {.severity = Severity::kNote,
          .text = fmt::format(
              "{} of {} {} on {} may use {} of {}: those on siblings of one core (SMT) are slower "
              "than alone",
              counted(found.computing, "thread"), found.ranks.size() == 1 ? "rank" : "ranks",
              number_ranges(found.ranks), host,
              counted(static_cast<std::int64_t>(found.all.size()), "hardware thread"),
              counted(static_cast<std::int64_t>(found.cores.size()), "core")),
          .advice =
              starts_with_srun(rank) ? "#SBATCH --hint=nomultithread gives one of each core" : ""};
}

}  // namespace

Diagnoses check_siblings(std::span<const RankFacts> ranks, const Launch& launch) {
  const std::vector<int> shares = shares_of_cores(ranks);
  std::map<std::string, HardwareThreads> hosts;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const RankFacts& rank = ranks[i];
    if (rank.cores.empty() || rank.first_siblings.size() != rank.cores.size()) continue;
    hosts[rank.host].add(rank, computing_threads(rank, shares[i], launch));
  }
  // A rank may be bound to the siblings of a core while others leave theirs idle.
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const RankFacts& rank = ranks[i];
    if (!hosts.contains(rank.host)) continue;
    HardwareThreads of_rank;
    of_rank.add(rank, computing_threads(rank, shares[i], launch));
    const HardwareThreads& of_host = hosts[rank.host];
    if (of_host.share_cores()) return {siblings_compute(rank.host, of_host, rank)};
    if (of_rank.share_cores()) return {siblings_compute(rank.host, of_rank, rank)};
  }
  return {};
}

Diagnoses check_clocks(std::span<const RankFacts> ranks) {
  // Of a host the earliest: ranks that wait for a core look at the clock later.
  std::map<std::string, double> clocks;
  for (const RankFacts& rank : ranks) {
    if (rank.clock <= 0) continue;
    const auto [place, is_first] = clocks.try_emplace(rank.host, rank.clock);
    if (!is_first) place->second = std::min(place->second, rank.clock);
  }
  if (clocks.size() < 2) return {};
  const auto by_time = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [earliest, latest] = std::ranges::minmax_element(clocks, by_time);
  const double difference = latest->second - earliest->second;
  constexpr double kMost = 1;
  if (difference <= kMost) return {{.text = "the clocks of all hosts agree within a second"}};
  return {
      {.severity = Severity::kNote,
       .text = fmt::format("the clock of {} is {:.1f} s ahead of that of {}: times of files and "
                           "in records mislead",
                           latest->first, difference, earliest->first),
       .advice = "let the hosts keep their time by NTP (chronyc tracking)"}};
}

}  // namespace localbatch
