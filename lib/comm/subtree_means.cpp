#include "comm/subtree_means.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace {

/// Small enough for the means to stay in the cache while all rows are read.
constexpr std::size_t kTile = 1024;

/// Means that wait for their other half: at most one for each halving of the workers.
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

void take(const float* from, std::size_t size, float* to) {
  for (std::size_t i = 0; i < size; ++i) to[i] = without_payload(from[i]);
}

void round_to_bfloat16(std::size_t size, float* values) {
  for (std::size_t i = 0; i < size; ++i) values[i] = rounded_to_bfloat16(values[i]);
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
    operations_.push_back({.kind = Operation::Kind::kTakeMean, .index = k});
  }
}

void SubtreeMeans::plan(const Subtree& tree, std::span<const Subtree> rows) {
  const auto row = std::ranges::find(rows, tree);
  if (row != rows.end()) {
    const auto index = static_cast<std::size_t>(row - rows.begin());
    operations_.push_back({.kind = Operation::Kind::kPushRow, .index = index});
    return;
  }
  check(tree.count > 1, "a mean is made up of the rows that are there");
  const auto [left, right] = halves(tree);
  plan(left, rows);
  plan(right, rows);
  operations_.push_back({.kind = Operation::Kind::kJoin,
                         .right = static_cast<float>(right.count),
                         .all = static_cast<float>(tree.count)});
}

void SubtreeMeans::compute(std::span<const float* const> rows, Slice slice, Payload payload,
                           std::span<float* const> means) const {
  std::array<std::array<float, kTile>, kDeepest> joined;
  std::array<const float*, kDeepest + 1> stack;
  for (std::size_t begin = slice.begin; begin < slice.end; begin += kTile) {
    const std::size_t size = std::min(kTile, slice.end - begin);
    std::size_t depth = 0;
    for (const Operation& operation : operations_) {
      if (operation.kind == Operation::Kind::kPushRow) {
        stack[depth++] = rows[operation.index] + begin;
      } else if (operation.kind == Operation::Kind::kTakeMean) {
        take(stack[--depth], size, means[operation.index] + begin);
      } else {
        depth -= 1;
        float* const mean = joined[depth - 1].data();
        join(stack[depth - 1], stack[depth], operation.right, operation.all, size, mean);
        if (payload == Payload::kBfloat16) round_to_bfloat16(size, mean);
        stack[depth - 1] = mean;
      }
    }
  }
}

}  // namespace localbatch
