#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "comm/payload.h"

namespace localbatch {

/// The elements begin .. end - 1 of an array.
struct Slice {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
};

/// Slice `index` of `length` elements cut into `parts` slices whose sizes differ by at most one, or
/// by at most one block.
inline Slice slice_of(std::size_t length, std::size_t index, std::size_t parts,
                      std::size_t block = 1) {
  const std::size_t blocks = (length + block - 1) / block;
  return {.begin = std::min(index * blocks / parts * block, length),
          .end = std::min((index + 1) * blocks / parts * block, length)};
}

/// Workers first .. first + count - 1 as a part of all.
struct Subtree {
  int first = 0;
  int count = 1;

  friend bool operator==(const Subtree&, const Subtree&) = default;
};

// The arrays of M workers are averaged along one fixed binary tree. The left part of a subtree of n
// workers has as many as the largest power of two below n; with the means l of the left and r of
// the right part, which has n_r workers, the mean of the subtree is l + ((r - l) n_r)/n, rounded
// to what travels. (Not times a rounded n_r/n, whose error would be the same in every number.) So
// the mean of neighbours can be made wherever they are, the bits of the whole do not depend on
// where that was, and the mean of equal arrays is that array.

/// The fewest subtrees of the tree of is_covered.size() workers that make up exactly those with
/// is_covered[worker], in order.
std::vector<Subtree> covering_subtrees(const std::vector<bool>& is_covered);

/// How numbers of an array are rounded to what travels.
struct MeanRounding {
  Payload payload = Payload::kFloat32;
  std::uint32_t key = 0;  ///< of round_mean(), together with the place of a mean in the tree
  std::size_t first = 0;  ///< the place in the array of what is called element 0
};

/// Makes arrays that are means of disjoint subtrees into means of larger ones.
class SubtreeMeans {
 public:
  SubtreeMeans() = default;
  /// Every one of `means` must be a subtree of the tree of all workers that is made up of `rows`.
  SubtreeMeans(std::span<const Subtree> rows, std::span<const Subtree> means);

  /// means[k][i] = the mean of the rows[..][i] that make it up, for every i of the slice. Each NaN
  /// becomes the same quiet one. An array may be both.
  /// The slice begins a block of the payload.
  void compute(std::span<const float* const> rows, Slice slice, const MeanRounding& rounding,
               std::span<float* const> means) const;

 private:
  /// An instruction of a machine with a stack of arrays.
  struct Operation {
    enum class Action { kPushRow, kJoin, kTakeMean } action;
    std::size_t index = 0;     ///< of the row or mean
    float right = 0, all = 0;  ///< n_r and n
    std::uint32_t node = 0;    ///< tells joins apart
  };

  void plan(const Subtree& tree, std::span<const Subtree> rows);

  std::vector<Operation> operations_;
};

/// The mean of arrays of all workers, which are its rows in their order.
SubtreeMeans mean_of_all_workers(int num_workers);

/// Ranks that exchange slices of their arrays.
struct RankGroup {
  std::vector<int> peers = {};                  ///< none: of ranks that have no part in this level
  std::size_t owners = 0;                       ///< as many of the first peers get a slice each
  std::vector<std::vector<Subtree>> rows = {};  ///< what each peer brings
  std::vector<Subtree> means = {};              ///< what an owner makes of it

  std::size_t num_rows() const;
};

/// One level of an average over ranks, as one of them sees it.
struct RankLevel {
  std::shared_ptr<const RankGroup> group;  ///< which its peers share
  std::size_t me = 0;                      ///< this rank's place among the peers, if there are any

  bool takes_part() const { return !group->peers.empty(); }
  bool owns() const { return takes_part() && me < group->owners; }
};

/// The subtrees that the workers of a rank make up.
std::vector<Subtree> hosted_subtrees(int num_workers, int rank, int num_ranks);

/// The levels of an average, for every rank: first those inside a host, if any host has several,
/// then those between hosts, if there are several: the k-th ranks of all hosts, for every k that
/// all hosts have. After the last level an owner has the mean of all workers. `hosts[r]` is the
/// host of rank r.
std::vector<std::vector<RankLevel>> rank_levels(int num_workers, const std::vector<int>& hosts);

}  // namespace localbatch
