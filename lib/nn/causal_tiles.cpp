#include "nn/causal_tiles.h"

#include <algorithm>
#include <utility>

#include "core/matrix_product.h"
#include "core/vector.h"

namespace localbatch {

namespace {

using Index = std::ptrdiff_t;

/// Rows of a diagonal tile that are multiplied as far as the last of them goes: a vector of keys,
/// so that only its own lanes are to be masked.
constexpr Index kStrip = kChannelBlock;

/// Calls product(first, count) for the strips of a diagonal tile.
template <class Product>
void for_each_strip(Index queries, Product product) {
  for (Index first = 0; first < queries; first += kStrip)
    product(first, std::min(kStrip, queries - first));
}

template <int kHalf, int... kLane>
void swap_blocks(Vector& upper, Vector& lower, std::integer_sequence<int, kLane...>) {
  constexpr int kOther = kChannelBlock - kHalf;  // a lane of `lower` that comes to the left
  const Vector top =
      __builtin_shufflevector(upper, lower, ((kLane & kHalf) != 0 ? kLane + kOther : kLane)...);
  lower = __builtin_shufflevector(
      upper, lower, ((kLane & kHalf) != 0 ? kLane + kChannelBlock : kLane + kHalf)...);
  upper = top;
}

/// Transposes blocks of kHalf x kHalf and, inside of them, smaller ones.
template <int kHalf>
void transpose(Vector (&rows)[kChannelBlock]) {
#pragma GCC unroll 16
  for (int row = 0; row < kChannelBlock; ++row)
    if ((row & kHalf) == 0)
      swap_blocks<kHalf>(rows[row], rows[row + kHalf],
                         std::make_integer_sequence<int, kChannelBlock>());
  if constexpr (kHalf > 1) transpose<kHalf / 2>(rows);
}

}  // namespace

void multiply_scores(const WeightTile& tile, const float* queries, const float* keys,
                     Index head_size, Index width, float* weights) {
  const auto rows = [&](Index first, Index count, Index columns) {
    multiply({queries + first * width, width, 1}, keys, kTileSide, {count, head_size, columns},
             false, weights + first * kTileSide, kTileSide);
  };
  if (!tile.diagonal) return rows(0, tile.queries, kTileSide);
  for_each_strip(tile.queries,
                 [&](Index first, Index count) { rows(first, count, first + kStrip); });
}

void add_to_queries(const WeightTile& tile, const float* weights, const float* by_key, Index width,
                    float* by_query) {
  const auto rows = [&](Index first, Index count, Index keys) {
    multiply({weights + first * kTileSide, kTileSide, 1}, by_key, width, {count, keys, width}, true,
             by_query + first * width, width);
  };
  if (!tile.diagonal) return rows(0, tile.queries, kTileSide);
  for_each_strip(tile.queries,
                 [&](Index first, Index count) { rows(first, count, first + count); });
}

void add_to_keys(const WeightTile& tile, const float* weights, const float* by_query, Index width,
                 float* by_key) {
  const auto rows = [&](Index first, Index count, Index query) {
    multiply({weights + query * kTileSide + first, 1, kTileSide}, by_query + query * width, width,
             {count, tile.queries - query, width}, true, by_key + first * width, width);
  };
  if (!tile.diagonal) return rows(0, kTileSide, 0);
  for_each_strip(tile.queries, [&](Index first, Index count) { rows(first, count, first); });
}

void transpose_tile(const float* from, Index width, float* to) {
  for (Index column = 0; column < width; column += kChannelBlock)
    for (Index row = 0; row < kTileSide; row += kChannelBlock) {
      Vector block[kChannelBlock];
#pragma GCC unroll 16
      for (int i = 0; i < kChannelBlock; ++i) block[i] = load(from + (row + i) * width + column);
      transpose<kChannelBlock / 2>(block);
#pragma GCC unroll 16
      for (int i = 0; i < kChannelBlock; ++i) store(to + (column + i) * kTileSide + row, block[i]);
    }
}

}  // namespace localbatch
