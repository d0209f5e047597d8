#include "comm/mean_tree.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "comm/workers.h"
#include "core/error.h"

namespace localbatch {

namespace {

/// Small enough for the means to stay in the cache while all rows are read.
constexpr std::size_t kTile = 1024;

/// The most means that can wait for their other half: one for each halving of the workers.
constexpr std::size_t kDeepest = 32;

std::pair<Subtree, Subtree> halves(const Subtree& tree) {
  const auto left = static_cast<int>(std::bit_floor(static_cast<unsigned>(tree.count - 1)));
  return {{tree.first, left}, {tree.first + left, tree.count - left}};
}

void cover(const std::vector<bool>& is_covered, const Subtree& tree, std::vector<Subtree>& found) {
  const auto begin = is_covered.begin() + tree.first;
  const auto covered = std::count(begin, begin + tree.count, true);
  if (covered == tree.count) found.push_back(tree);
  if (covered == 0 || covered == tree.count) return;
  const auto [left, right] = halves(tree);
  cover(is_covered, left, found);
  cover(is_covered, right, found);
}

/// Which of two NaNs survives an addition is the compiler's choice, so it could depend on where in
/// a vector loop an element falls.
float without_payload(float value) {
  return value == value ? value : std::numeric_limits<float>::quiet_NaN();
}

void join(const float* left, const float* right, float num_right, float num_all, std::size_t size,
          float* mean) {
  for (std::size_t i = 0; i < size; ++i)
    mean[i] = left[i] + (right[i] - left[i]) * num_right / num_all;
}

/// A number of its own for every subtree.
std::uint32_t node_of(const Subtree& tree) {
  return static_cast<std::uint32_t>(tree.first) * 0x85EBCA6BU +
         static_cast<std::uint32_t>(tree.count) * 0xC2B2AE35U;
}

void take(const float* from, std::size_t size, float* to) {
  for (std::size_t i = 0; i < size; ++i) to[i] = without_payload(from[i]);
}

}  // namespace

std::vector<Subtree> covering_subtrees(const std::vector<bool>& is_covered) {
  std::vector<Subtree> found;
  cover(is_covered, {0, static_cast<int>(is_covered.size())}, found);
  return found;
}

SubtreeMeans::SubtreeMeans(std::span<const Subtree> rows, std::span<const Subtree> means) {
  for (std::size_t k = 0; k < means.size(); ++k) {
    plan(means[k], rows);
    operations_.push_back({.action = Operation::Action::kTakeMean, .index = k});
  }
}

void SubtreeMeans::plan(const Subtree& tree, std::span<const Subtree> rows) {
  const auto row = std::ranges::find(rows, tree);
  if (row != rows.end()) {
    const auto index = static_cast<std::size_t>(row - rows.begin());
    operations_.push_back({.action = Operation::Action::kPushRow, .index = index});
    return;
  }
  check(tree.count > 1, "a mean is made up of the rows that are there");
  const auto [left, right] = halves(tree);
  plan(left, rows);
  plan(right, rows);
  operations_.push_back({.action = Operation::Action::kJoin,
                         .right = static_cast<float>(right.count),
                         .all = static_cast<float>(tree.count),
                         .node = node_of(tree)});
}

void SubtreeMeans::compute(std::span<const float* const> rows, Slice slice,
                           const MeanRounding& rounding, std::span<float* const> means) const {
  std::array<std::array<float, kTile>, kDeepest> joined;
  std::array<const float*, kDeepest + 1> stack;
  for (std::size_t begin = slice.begin; begin < slice.end; begin += kTile) {
    const std::size_t size = std::min(kTile, slice.end - begin);
    std::size_t depth = 0;
    for (const Operation& operation : operations_) {
      if (operation.action == Operation::Action::kPushRow) {
        stack[depth++] = rows[operation.index] + begin;
      } else if (operation.action == Operation::Action::kTakeMean) {
        take(stack[--depth], size, means[operation.index] + begin);
      } else {
        depth -= 1;
        float* const mean = joined[depth - 1].data();
        join(stack[depth - 1], stack[depth], operation.right, operation.all, size, mean);
        round_mean({mean, size}, rounding.payload, rounding.key ^ operation.node,
                   rounding.first + begin);
        stack[depth - 1] = mean;
      }
    }
  }
}

SubtreeMeans mean_of_all_workers(int num_workers) {
  std::vector<Subtree> workers;
  workers.reserve(static_cast<std::size_t>(num_workers));
  for (int worker = 0; worker < num_workers; ++worker) workers.push_back({worker, 1});
  const Subtree all{0, num_workers};
  return {workers, {&all, 1}};
}

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

/// What the workers of some ranks make up, beside who they are.
struct Brought {
  IsThere workers;
  std::vector<Subtree> rows;
};

Brought brought_by(const std::vector<int>& ranks, int num_workers, int num_ranks) {
  Brought brought{.workers = workers_of(ranks, num_workers, num_ranks), .rows = {}};
  brought.rows = covering_subtrees(brought.workers);
  return brought;
}

/// Everything but the peers, of whom `owners` get a slice.
RankGroup group_of(const std::vector<Brought>& brought, std::size_t owners) {
  RankGroup group{.owners = owners};
  IsThere all(brought.front().workers.size());
  for (const auto& [workers, rows] : brought) {
    group.rows.push_back(rows);
    std::transform(all.begin(), all.end(), workers.begin(), all.begin(), std::logical_or());
  }
  group.means = covering_subtrees(all);
  return group;
}

/// Gives every peer its place in the group.
void append_level(RankGroup group, std::vector<std::vector<RankLevel>>& levels) {
  const auto shared = std::make_shared<const RankGroup>(std::move(group));
  for (std::size_t place = 0; place < shared->peers.size(); ++place)
    levels[static_cast<std::size_t>(shared->peers[place])].push_back(
        {.group = shared, .me = place});
}

}  // namespace

std::size_t RankGroup::num_rows() const {
  std::size_t count = 0;
  for (const std::vector<Subtree>& theirs : rows) count += theirs.size();
  return count;
}

std::vector<Subtree> hosted_subtrees(int num_workers, int rank, int num_ranks) {
  return covering_subtrees(workers_of({rank}, num_workers, num_ranks));
}

std::vector<std::vector<RankLevel>> rank_levels(int num_workers, const std::vector<int>& hosts) {
  const auto num_ranks = static_cast<int>(hosts.size());
  std::map<int, std::vector<int>> ranks_of_host;
  for (int rank = 0; rank < num_ranks; ++rank) ranks_of_host[hosts[rank]].push_back(rank);
  std::size_t fewest = hosts.size(), most = 1;
  for (const auto& [host, ranks] : ranks_of_host) {
    fewest = std::min(fewest, ranks.size());
    most = std::max(most, ranks.size());
  }

  std::vector<std::vector<RankLevel>> levels(hosts.size());
  for (const auto& [host, ranks] : ranks_of_host) {
    if (most == 1) break;
    std::vector<Brought> brought;
    brought.reserve(ranks.size());
    for (const int rank : ranks) brought.push_back(brought_by({rank}, num_workers, num_ranks));
    RankGroup inside = group_of(brought, fewest);
    inside.peers = ranks;
    append_level(std::move(inside), levels);
  }
  if (ranks_of_host.size() == 1) return levels;

  std::vector<Brought> brought;
  brought.reserve(ranks_of_host.size());
  for (const auto& [host, ranks] : ranks_of_host)
    brought.push_back(brought_by(ranks, num_workers, num_ranks));
  const RankGroup between = group_of(brought, brought.size());
  for (std::size_t place = 0; place < fewest; ++place) {
    RankGroup group = between;
    for (const auto& [host, ranks] : ranks_of_host) group.peers.push_back(ranks[place]);
    append_level(std::move(group), levels);
  }
  const auto nobody = std::make_shared<const RankGroup>(RankGroup{.owners = brought.size()});
  for (const auto& [host, ranks] : ranks_of_host)
    for (std::size_t place = fewest; place < ranks.size(); ++place)
      levels[static_cast<std::size_t>(ranks[place])].push_back({.group = nobody});
  return levels;
}

}  // namespace localbatch
