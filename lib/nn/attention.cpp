#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/causal_tiles.h"
#include "nn/row_vectors.h"
#include "nn/vector_functions.h"

namespace localbatch {

namespace {

using Index = std::ptrdiff_t;

constexpr Index kTileSize = kTileSide * kTileSide;

/// Rows that pack() asks the memory for in advance: a head is a small part of a row, and processors
/// foresee only what lies close together.
constexpr Index kRowsAhead = 8;

constexpr Index round_up(Index count, Index unit) { return (count + unit - 1) / unit * unit; }

/// Calls visit(key, tile) for the tiles of a block of queries, which begins at token `first`, by
/// their first key.
template <class Visit>
void for_each_tile(Index first, Index count, Visit visit) {
  for (Index key = 0; key < first; key += kTileSide) visit(key, WeightTile{.queries = count});
  visit(first, WeightTile{.queries = count, .diagonal = true});
}

/// Calls visit(at, lanes) for the vectors of a query's weights; `lanes` are the keys on or before
/// its own token. `at` counts from the first tile of its block, where the query has the row `row`;
/// the block begins at token `first`.
template <class Visit>
inline void for_each_weight(Index first, Index row, Visit visit) {
  Index at = row * kTileSide;
  for (Index key = 0; key < first; key += kTileSide, at += kTileSize)
    for (Index i = 0; i < kTileSide; i += kChannelBlock) visit(at + i, AllLanes{});
  Index i = 0;
  for (; i + kChannelBlock <= row + 1; i += kChannelBlock) visit(at + i, AllLanes{});
  if (i <= row) visit(at + i, FirstLanes{row + 1 - i});
}

struct ExponentialSum {
  float largest, sum;  ///< of e^(score - largest)
};

/// Scores of a query become e^(score - largest).
ExponentialSum exponentiate(Index first, Index row, float* weights) {
  Vector largest = broadcast(-std::numeric_limits<float>::infinity()), sum{};
  for_each_weight(first, row, [&](Index at, auto lanes) {
    largest = larger(largest, lanes.keep(load(weights + at), largest));
  });
  const float of_all = largest_lane(largest);
  for_each_weight(first, row, [&](Index at, auto lanes) {
    const Vector weight = lanes.keep(exponential(load(weights + at) - of_all), Vector{});
    store(weights + at, weight);
    sum += weight;
  });
  return {of_all, sum_of_lanes(sum)};
}

/// Scores of a query become its weights P, and their diffs dP become those of the scores,
/// P (dP - <P, dP>).
void differentiate(Index first, Index row, float log_sum_exp, float* weights, float* diff) {
  Vector product{};
  for_each_weight(first, row, [&](Index at, auto lanes) {
    const Vector weight = lanes.keep(exponential(load(weights + at) - log_sum_exp), Vector{});
    store(weights + at, weight);
    product += lanes.keep(weight * load(diff + at), Vector{});
  });
  const float mean = sum_of_lanes(product);
  for_each_weight(first, row, [&](Index at, auto lanes) {
    store(diff + at, lanes.keep(load(weights + at) * (load(diff + at) - mean), Vector{}));
  });
}

}  // namespace

struct Attention::Columns {
  Index first, step;  ///< column, and numbers from a token to the next
  float factor = 1;
  bool rotated = false;
};

/// Packed arrays begin at the first token of the sequence or of a block of queries. Rows are padded
/// with zeros to whole vectors, sequences to whole tiles.
struct Attention::Backward {
  float *keys, *transposed_keys, *transposed_values, *diff_keys, *diff_values;
  float *queries, *diff_outputs, *diff_queries, *weights, *diff_weights;
};

Attention::Attention(const AttentionShape& shape) : shape_(shape) {
  if (shape.rotary_base > 0) rotary_.emplace(shape.length, shape.head_size, shape.rotary_base);
}

Index Attention::width() const { return round_up(shape_.head_size, kChannelBlock); }

Attention::Columns Attention::query(int head) const {
  return {.first = Index{head} * shape_.head_size,
          .step = shape_.row(),
          .factor = static_cast<float>(1 / std::sqrt(static_cast<double>(shape_.head_size))),
          .rotated = rotary_.has_value()};
}

Attention::Columns Attention::key(int key_value_head) const {
  return {.first = Index{shape_.heads + key_value_head} * shape_.head_size,
          .step = shape_.row(),
          .rotated = rotary_.has_value()};
}

Attention::Columns Attention::value(int key_value_head) const {
  const int head = shape_.heads + shape_.key_value_heads + key_value_head;
  return {.first = Index{head} * shape_.head_size, .step = shape_.row()};
}

Attention::Columns Attention::output(int head) const {
  return {.first = Index{head} * shape_.head_size, .step = Index{shape_.heads} * shape_.head_size};
}

std::size_t Attention::scratch_bytes() const {
  const Index tokens = round_up(shape_.length, kTileSide);
  const auto bytes = [](Index count) {
    return localbatch::scratch_bytes<float>(static_cast<std::size_t>(count));
  };
  // The backward pass: five arrays of a sequence, three of a block of queries and its weights
  // twice. Before the latter are taken, a block is packed for its transposition.
  return 5 * bytes(tokens * width()) + 3 * bytes(kTileSide * width()) +
         2 * bytes(tokens * kTileSide);
}

/// Rows are filled up with zeros to whole vectors, and `count` rows to whole tiles.
void Attention::pack(const float* rows, const Columns& columns, Index first, Index count,
                     float* packed) const {
  rows += first * columns.step + columns.first;
  for (Index token = 0; token < count; ++token, rows += columns.step, packed += width()) {
    for_each_vector(shape_.head_size, [&](Index i, auto lanes) {
      if (token + kRowsAhead < count) __builtin_prefetch(rows + kRowsAhead * columns.step + i);
      store(packed + i, lanes.load(rows + i) * columns.factor);
    });
    if (columns.rotated) rotary_->rotate(packed, static_cast<int>(first + token));
  }
  std::fill_n(packed, (round_up(count, kTileSide) - count) * width(), 0.0F);
}

float* Attention::pack_all(const float* rows, const Columns& columns, Index length,
                           Thread& thread) const {
  float* const packed =
      thread.take<float>(static_cast<std::size_t>(round_up(length, kTileSide) * width()));
  pack(rows, columns, 0, length, packed);
  return packed;
}

/// By tiles of tokens: [length / kTileSide][width][kTileSide].
float* Attention::pack_transposed(const float* rows, const Columns& columns, Index length,
                                  Thread& thread) const {
  float* const transposed =
      thread.take<float>(static_cast<std::size_t>(round_up(length, kTileSide) * width()));
  const Thread::Frame frame(thread);
  float* const block = thread.take<float>(static_cast<std::size_t>(kTileSide * width()));
  for (Index first = 0; first < length; first += kTileSide) {
    pack(rows, columns, first, std::min(kTileSide, length - first), block);
    transpose_tile(block, width(), transposed + first * width());
  }
  return transposed;
}

/// The way back, for gradients: the transposed matrix of pack(). Works in place.
template <class T>
void Attention::unpack(float* packed, const Columns& columns, Index first, Index count,
                       T* rows) const {
  rows += first * columns.step + columns.first;
  for (Index token = 0; token < count; ++token, rows += columns.step, packed += width()) {
    if (columns.rotated) rotary_->rotate_back(packed, static_cast<int>(first + token));
    for_each_vector(shape_.head_size, [&](Index i, auto lanes) {
      lanes.store(rows + i, load(packed + i) * columns.factor);
    });
  }
}

template <class T>
void Attention::forward(const float* qkv, int length, int key_value_head, T* output_rows,
                        float* log_sum_exp, Thread& thread) const {
  const Thread::Frame frame(thread);
  const auto block_size = static_cast<std::size_t>(kTileSide * width());
  const float* const keys = pack_transposed(qkv, key(key_value_head), length, thread);
  const float* const values = pack_all(qkv, value(key_value_head), length, thread);
  float* const queries = thread.take<float>(block_size);
  float* const sums = thread.take<float>(block_size);
  float* const weights =
      thread.take<float>(static_cast<std::size_t>(round_up(length, kTileSide) * kTileSide));
  const int group = shape_.heads / shape_.key_value_heads;
  for (int head = key_value_head * group; head < (key_value_head + 1) * group; ++head)
    for (Index first = 0; first < length; first += kTileSide) {
      const Index count = std::min<Index>(kTileSide, length - first);
      pack(qkv, query(head), first, count, queries);
      for_each_tile(first, count, [&](Index token, const WeightTile& tile) {
        multiply_scores(tile, queries, keys + token * width(), shape_.head_size, width(),
                        weights + token * kTileSide);
      });
      float inverse[kTileSide];
      for (Index row = 0; row < count; ++row) {
        const auto [largest, sum] = exponentiate(first, row, weights);
        inverse[row] = 1 / sum;
        log_sum_exp[Index{head} * length + first + row] = largest + std::log(sum);
      }
      std::fill_n(sums, block_size, 0.0F);
      for_each_tile(first, count, [&](Index token, const WeightTile& tile) {
        add_to_queries(tile, weights + token * kTileSide, values + token * width(), width(), sums);
      });
      for (Index row = 0; row < count; ++row)
        for (Index i = 0; i < width(); ++i) sums[row * width() + i] *= inverse[row];
      unpack(sums, output(head), first, count, output_rows);
    }
}

/// One block of queries of a head: everything but packing and unpacking.
void Attention::backward_queries(const Backward& arrays, const float* log_sum_exp, Index first,
                                 Index count) const {
  for_each_tile(first, count, [&](Index token, const WeightTile& tile) {
    multiply_scores(tile, arrays.queries, arrays.transposed_keys + token * width(),
                    shape_.head_size, width(), arrays.weights + token * kTileSide);
    multiply_scores(tile, arrays.diff_outputs, arrays.transposed_values + token * width(),
                    shape_.head_size, width(), arrays.diff_weights + token * kTileSide);
  });
  for (Index row = 0; row < count; ++row)
    differentiate(first, row, log_sum_exp[first + row], arrays.weights, arrays.diff_weights);
  std::fill_n(arrays.diff_queries, kTileSide * width(), 0.0F);
  for_each_tile(first, count, [&](Index token, const WeightTile& tile) {
    const float* const diff = arrays.diff_weights + token * kTileSide;
    add_to_keys(tile, arrays.weights + token * kTileSide, arrays.diff_outputs, width(),
                arrays.diff_values + token * width());
    add_to_keys(tile, diff, arrays.queries, width(), arrays.diff_keys + token * width());
    add_to_queries(tile, diff, arrays.keys + token * width(), width(), arrays.diff_queries);
  });
}

template <class T>
void Attention::backward(const float* qkv, int length, int key_value_head, const float* log_sum_exp,
                         const float* diff_output, T* diff_qkv, Thread& thread) const {
  const Thread::Frame frame(thread);
  const Index tokens = round_up(length, kTileSide);
  const auto take = [&](Index count) {
    return thread.take<float>(static_cast<std::size_t>(count));
  };
  Backward arrays{};
  arrays.transposed_keys = pack_transposed(qkv, key(key_value_head), length, thread);
  arrays.transposed_values = pack_transposed(qkv, value(key_value_head), length, thread);
  arrays.keys = pack_all(qkv, key(key_value_head), length, thread);
  arrays.diff_keys = take(tokens * width());
  arrays.diff_values = take(tokens * width());
  std::fill_n(arrays.diff_keys, tokens * width(), 0.0F);
  std::fill_n(arrays.diff_values, tokens * width(), 0.0F);
  arrays.queries = take(kTileSide * width());
  arrays.diff_outputs = take(kTileSide * width());
  arrays.diff_queries = take(kTileSide * width());
  arrays.weights = take(tokens * kTileSide);
  arrays.diff_weights = take(tokens * kTileSide);
  const int group = shape_.heads / shape_.key_value_heads;
  for (int head = key_value_head * group; head < (key_value_head + 1) * group; ++head)
    for (Index first = 0; first < length; first += kTileSide) {
      const Index count = std::min<Index>(kTileSide, length - first);
      pack(qkv, query(head), first, count, arrays.queries);
      pack(diff_output, output(head), first, count, arrays.diff_outputs);
      backward_queries(arrays, log_sum_exp + Index{head} * length, first, count);
      unpack(arrays.diff_queries, query(head), first, count, diff_qkv);
    }
  unpack(arrays.diff_keys, key(key_value_head), 0, length, diff_qkv);
  unpack(arrays.diff_values, value(key_value_head), 0, length, diff_qkv);
}

template void Attention::forward(const float*, int, int, float*, float*, Thread&) const;
template void Attention::forward(const float*, int, int, Bfloat16*, float*, Thread&) const;
template void Attention::backward(const float*, int, int, const float*, const float*, float*,
                                  Thread&) const;
template void Attention::backward(const float*, int, int, const float*, const float*, Bfloat16*,
                                  Thread&) const;

}  // namespace localbatch
