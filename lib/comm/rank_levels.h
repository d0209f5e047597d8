#pragma once

#include <cstddef>
#include <vector>

#include "comm/subtree_means.h"

namespace localbatch {

/// Ranks that exchange slices of their arrays, as one of them sees it.
struct RankLevel {
  std::vector<int> peers = {};  ///< none: this rank has no part in it, and owns nothing
  std::size_t owners = 0;       ///< as many of the first peers get a slice each
  std::size_t me = 0;           ///< this rank's place among the peers
  std::vector<std::vector<Subtree>> rows = {};  ///< what each peer brings
  std::vector<Subtree> means = {};              ///< what an owner makes of it

  bool owns() const { return me < owners; }
  std::size_t num_rows() const;
};

/// The subtrees that the workers of a rank make up.
std::vector<Subtree> hosted_subtrees(int num_workers, int rank, int num_ranks);

/// The levels of an average over ranks, first those inside a host, if any host has several, then
/// those between hosts, if there are several: the k-th ranks of all hosts, for every k that all
/// hosts have. After the last level an owner has the mean of all workers. `hosts[r]` is the host of
/// rank r.
std::vector<RankLevel> rank_levels(int num_workers, int rank, const std::vector<int>& hosts);

}  // namespace localbatch
