#pragma once

#include <cstddef>

#include "core/channel_block.h"

namespace localbatch {

/// Queries and keys of a tile of attention weights.
constexpr std::ptrdiff_t kTileSide = 64;

/// Weights of `queries` tokens, in rows of kTileSide keys. On the diagonal keys are the same
/// tokens, and what lies above it is zero: not computed, and read only to the end of a vector.
struct WeightTile {
  std::ptrdiff_t queries = kTileSide;
  bool diagonal = false;
};

/// weights = queries * keys^T. queries: [queries][width]; keys: [width][kTileSide], transposed; of
/// `width` numbers only the first `head_size` count. Above the diagonal there are other numbers
/// until masked.
void multiply_scores(const WeightTile& tile, const float* queries, const float* keys,
                     std::ptrdiff_t head_size, std::ptrdiff_t width, float* weights);

/// by_query += weights * by_key; by_query: [queries][width], by_key: [kTileSide][width].
void add_to_queries(const WeightTile& tile, const float* weights, const float* by_key,
                    std::ptrdiff_t width, float* by_query);

/// by_key += weights^T * by_query.
void add_to_keys(const WeightTile& tile, const float* weights, const float* by_query,
                 std::ptrdiff_t width, float* by_key);

/// to[column][row] = from[row][column] of a tile; from: [kTileSide][width], to: [width][kTileSide].
void transpose_tile(const float* from, std::ptrdiff_t width, float* to);

}  // namespace localbatch
