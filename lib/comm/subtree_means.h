#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "comm/payload.h"
#include "comm/slice.h"

namespace localbatch {

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

/// Makes arrays that are means of disjoint subtrees into means of larger ones.
class SubtreeMeans {
 public:
  SubtreeMeans() = default;
  /// Every one of `means` must be a subtree of the tree of all workers that is made up of `rows`.
  SubtreeMeans(std::span<const Subtree> rows, std::span<const Subtree> means);

  /// means[k][i] = the mean of the rows[..][i] that make it up, for every i of the slice. Each NaN
  /// becomes the same quiet one. An array may be both.
  void compute(std::span<const float* const> rows, Slice slice, Payload payload,
               std::span<float* const> means) const;

 private:
  /// Of a machine with a stack of arrays.
  struct Operation {
    enum class Kind { kPushRow, kJoin, kTakeMean } kind;
    std::size_t index = 0;     ///< of the row or mean
    float right = 0, all = 0;  ///< n_r and n
  };

  void plan(const Subtree& tree, std::span<const Subtree> rows);

  std::vector<Operation> operations_;
};

}  // namespace localbatch
