#include "nn/weight_gradient.h"

#include <algorithm>
#include <span>

#include "core/vector.h"
#include "core/vector_math.h"

namespace localbatch {

namespace {

/// Tokens that a product sums over at once: enough to pay for reading and writing the gradient, few
/// enough to stay in the cache.
constexpr int kTokens = 512;

/// Rows of a Gram matrix that are made at once.
constexpr int kGramRows = 128;

/// Outputs of a tile: so many that products are efficient, so few that threads share the work.
int outputs_of_tile(int inputs) {
  constexpr int kTileWeights = 1 << 15;
  return std::clamp(kTileWeights / inputs / 16 * 16, 64, 128);
}

/// sums[i] = sum over rows of matrix[row][i].
template <class T>
void sum_rows(const T* matrix, int stride, int rows, std::span<float> sums) {
  std::ranges::fill(sums, 0.0F);
  for (int row = 0; row < rows; ++row, matrix += stride)
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += to_float(matrix[i]);
}

void add_or_replace(std::span<const float> from, bool adds, float* to) {
  for (const float value : from) {
    *to = adds ? *to + value : value;
    ++to;
  }
}

}  // namespace

template <class T>
WeightGradient<T>::WeightGradient(MatrixProducts& products, const LinearPlace& place, int length)
    : products_(products),
      place_(place),
      length_(length),
      tile_outputs_(outputs_of_tile(place.inputs)) {}

template <class T>
std::size_t WeightGradient<T>::scratch() const {
  const auto of_tile =
      static_cast<std::size_t>(tile_outputs_) * static_cast<std::size_t>(place_.inputs);
  const auto of_gram = std::size_t{kGramRows} * static_cast<std::size_t>(length_);
  return scratch_bytes<float>(std::max(of_tile, of_gram)) + scratch_bytes<float>(of_gram) +
         scratch_bytes<float>(static_cast<std::size_t>(place_.outputs));
}

template <class T>
int WeightGradient<T>::tiles() const {
  return (place_.outputs + tile_outputs_ - 1) / tile_outputs_;
}

template <class T>
typename WeightGradient<T>::Tile WeightGradient<T>::tile(int index) const {
  const int first = index * tile_outputs_;
  return {.first = first, .outputs = std::min(tile_outputs_, place_.outputs - first)};
}

/// Compares multiply-adds. Reading and writing a weight's gradient costs as much as 32 of them in
/// the second-level cache and 128 beyond it (measured for images, sample_sums.cpp).
template <class T>
bool WeightGradient<T>::uses_gram_matrices(const GradientPass& pass) const {
  if (pass.sums == nullptr || pass.sums->wants_inner_products()) return false;
  const double weights = static_cast<double>(place_.weight_size());
  const double touching = weights < 1 << 18 ? 32 : 128;
  const double tokens = length_;
  const double gram = tokens * tokens / 2 * (place_.inputs + place_.outputs);
  const double making = pass.wants_gradient() ? 0 : tokens * weights;
  return gram < making + touching * weights;
}

template <class T>
int WeightGradient<T>::units(const GradientPass& pass, int rows) const {
  const int sequences = rows / length_;
  if (!uses_gram_matrices(pass)) return tiles();
  return (pass.wants_gradient() ? tiles() : 0) + sequences;
}

template <class T>
void WeightGradient<T>::compute(int unit, int sums_unit, Thread& thread,
                                const LinearDiffs<T>& diffs, const GradientPass& pass) const {
  const Thread::Frame frame(thread);
  if (pass.sums == nullptr) return add_gradient(thread, tile(unit), diffs, pass);
  if (!uses_gram_matrices(pass))
    return add_sequences(sums_unit + unit, thread, tile(unit), diffs, pass);
  const int of_gradient = pass.wants_gradient() ? tiles() : 0;
  if (unit < of_gradient) return add_gradient(thread, tile(unit), diffs, pass);
  add_norm(sums_unit + unit, unit - of_gradient, thread, diffs, pass);
}

template <class T>
void WeightGradient<T>::multiply(Thread& thread, const Tile& tile, int rows, const T* diff_y,
                                 const T* x, bool adds, float* gradient) const {
  products_.multiply(thread,
                     {.rows = tile.outputs,
                      .inner = rows,
                      .columns = place_.inputs,
                      .a_row = 1,
                      .a_column = place_.outputs,
                      .b_row = place_.inputs,
                      .c_row = place_.inputs,
                      .adds = adds},
                     diff_y + tile.first, x, gradient);
}

template <class T>
void WeightGradient<T>::add_gradient(Thread& thread, const Tile& tile, const LinearDiffs<T>& diffs,
                                     const GradientPass& pass) const {
  float* const gradient =
      pass.gradient.data() + place_.weight +
      static_cast<std::size_t>(tile.first) * static_cast<std::size_t>(place_.inputs);
  const int step = length_ < kTokens ? kTokens / length_ * length_ : length_;
  bool adds = pass.use == GradientUse::kAdd;
  for (int row = 0; row < diffs.rows; row += step) {
    const auto begin = static_cast<std::size_t>(row);
    multiply(thread, tile, std::min(step, diffs.rows - row),
             diffs.diff_y + begin * static_cast<std::size_t>(place_.outputs),
             diffs.x + begin * static_cast<std::size_t>(place_.inputs), adds, gradient);
    adds = true;
  }
  if (!place_.bias) return;
  const auto outputs = static_cast<std::size_t>(tile.outputs);
  const std::span<float> bias(thread.take<float>(outputs), outputs);
  sum_rows(diffs.diff_y + tile.first, place_.outputs, diffs.rows, bias);
  add_or_replace(bias, pass.use == GradientUse::kAdd,
                 pass.gradient.data() + *place_.bias + tile.first);
}

template <class T>
void WeightGradient<T>::add_sequences(int unit, Thread& thread, const Tile& tile,
                                      const LinearDiffs<T>& diffs, const GradientPass& pass) const {
  const auto inputs = static_cast<std::size_t>(place_.inputs);
  const auto outputs = static_cast<std::size_t>(tile.outputs);
  const std::size_t weight = place_.weight + static_cast<std::size_t>(tile.first) * inputs;
  const std::span<float> made(thread.take<float>(outputs * inputs), outputs * inputs);
  const std::span<float> bias(thread.take<float>(outputs), outputs);
  for (int i = 0; i < diffs.rows / length_; ++i) {
    const int sequence = diffs.first_sequence + i;
    const bool adds = pass.use == GradientUse::kAdd || i > 0;
    const auto row = static_cast<std::size_t>(i) * static_cast<std::size_t>(length_);
    const T* const diff_y = diffs.diff_y + row * static_cast<std::size_t>(place_.outputs);
    multiply(thread, tile, length_, diff_y, diffs.x + row * inputs, /*adds=*/false, made.data());
    add_to_sums(*pass.sums, unit, sequence, made, weight);
    if (pass.wants_gradient()) add_or_replace(made, adds, pass.gradient.data() + weight);
    if (!place_.bias) continue;
    const std::size_t offset = *place_.bias + static_cast<std::size_t>(tile.first);
    sum_rows(diff_y + tile.first, place_.outputs, length_, bias);
    add_to_sums(*pass.sums, unit, sequence, bias, offset);
    if (pass.wants_gradient()) add_or_replace(bias, adds, pass.gradient.data() + offset);
  }
}

/// The lower triangle of blocks of both Gram matrices; what is left of the diagonal counts twice.
template <class T>
void WeightGradient<T>::add_norm(int unit, int sequence, Thread& thread,
                                 const LinearDiffs<T>& diffs, const GradientPass& pass) const {
  const auto first = static_cast<std::size_t>(sequence) * static_cast<std::size_t>(length_);
  const T* const x = diffs.x + first * static_cast<std::size_t>(place_.inputs);
  const T* const diff_y = diffs.diff_y + first * static_cast<std::size_t>(place_.outputs);
  const auto size = std::size_t{kGramRows} * static_cast<std::size_t>(length_);
  float* const of_x = thread.take<float>(size);
  float* const of_y = thread.take<float>(size);
  double norm = 0;
  for (int row = 0; row < length_; row += kGramRows) {
    const int rows = std::min(kGramRows, length_ - row), columns = row + rows;
    const auto products = [&](const T* matrix, int features, float* gram) {
      products_.multiply(
          thread,
          {.rows = rows,
           .inner = features,
           .columns = columns,
           .a_row = features,
           .b_row = 1,
           .b_column = features,
           .c_row = columns},
          matrix + static_cast<std::size_t>(row) * static_cast<std::size_t>(features), matrix,
          gram);
    };
    products(x, place_.inputs, of_x);
    products(diff_y, place_.outputs, of_y);
    for (int i = 0; i < rows; ++i) {
      const auto begin = static_cast<std::size_t>(i) * static_cast<std::size_t>(columns);
      const std::span<const float> mine(of_x + begin, static_cast<std::size_t>(columns));
      const std::span<const float> other(of_y + begin, static_cast<std::size_t>(columns));
      const auto left = static_cast<std::size_t>(row);
      norm += 2 * inner_product(mine.first(left), other.first(left)) +
              inner_product(mine.subspan(left), other.subspan(left));
    }
  }
  if (place_.bias) {
    const auto outputs = static_cast<std::size_t>(place_.outputs);
    const std::span<float> bias(thread.take<float>(outputs), outputs);
    sum_rows(diff_y, place_.outputs, length_, bias);
    norm += squared_norm(bias);
  }
  pass.sums->add(unit, diffs.first_sequence + sequence, norm, 0);
}

template class WeightGradient<float>;
template class WeightGradient<Bfloat16>;

}  // namespace localbatch
