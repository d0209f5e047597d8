#include "comm/rank_levels.h"

#include <algorithm>
#include <functional>
#include <map>

#include "comm/run_workers.h"

namespace localbatch {

namespace {

using IsThere = std::vector<bool>;  ///< worker by worker

IsThere workers_of(const std::vector<int>& ranks, int num_workers, int num_ranks) {
  IsThere is_there(static_cast<std::size_t>(num_workers));
  for (const int rank : ranks) {
    const HostedWorkers hosted = hosted_workers(num_workers, rank, num_ranks);
    std::fill_n(is_there.begin() + hosted.first, hosted.count, true);
  }
  return is_there;
}

RankLevel make_level(int rank, const std::vector<int>& peers, std::size_t owners,
                     const std::vector<IsThere>& workers) {
  RankLevel level;
  level.peers = peers;
  level.owners = owners;
  level.me = static_cast<std::size_t>(std::ranges::find(peers, rank) - peers.begin());
  IsThere all = workers.front();
  for (const IsThere& theirs : workers) {
    level.rows.push_back(covering_subtrees(theirs));
    std::transform(all.begin(), all.end(), theirs.begin(), all.begin(), std::logical_or());
  }
  level.means = covering_subtrees(all);
  return level;
}

}  // namespace

std::size_t RankLevel::num_rows() const {
  std::size_t count = 0;
  for (const std::vector<Subtree>& theirs : rows) count += theirs.size();
  return count;
}

std::vector<Subtree> hosted_subtrees(int num_workers, int rank, int num_ranks) {
  return covering_subtrees(workers_of({rank}, num_workers, num_ranks));
}

std::vector<RankLevel> rank_levels(int num_workers, int rank, const std::vector<int>& hosts) {
  const auto num_ranks = static_cast<int>(hosts.size());
  std::map<int, std::vector<int>> ranks_of_host;
  for (int r = 0; r < num_ranks; ++r)
    ranks_of_host[hosts[static_cast<std::size_t>(r)]].push_back(r);
  std::size_t fewest = hosts.size(), most = 1;
  for (const auto& [host, ranks] : ranks_of_host) {
    fewest = std::min(fewest, ranks.size());
    most = std::max(most, ranks.size());
  }

  std::vector<RankLevel> levels;
  const std::vector<int>& neighbours = ranks_of_host[hosts[static_cast<std::size_t>(rank)]];
  if (most > 1) {
    std::vector<IsThere> workers;
    workers.reserve(neighbours.size());
    for (const int neighbour : neighbours)
      workers.push_back(workers_of({neighbour}, num_workers, num_ranks));
    levels.push_back(make_level(rank, neighbours, fewest, workers));
  }
  if (ranks_of_host.size() > 1) {
    const auto place =
        static_cast<std::size_t>(std::ranges::find(neighbours, rank) - neighbours.begin());
    std::vector<int> peers;
    std::vector<IsThere> workers;
    for (const auto& [host, ranks] : ranks_of_host) {
      if (place >= fewest) break;
      peers.push_back(ranks[place]);
      workers.push_back(workers_of(ranks, num_workers, num_ranks));
    }
    RankLevel level{.owners = ranks_of_host.size(), .me = ranks_of_host.size()};
    if (!peers.empty()) level = make_level(rank, peers, peers.size(), workers);
    levels.push_back(std::move(level));
  }
  return levels;
}

}  // namespace localbatch
