#include "nn/token_embedding.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/vector_math.h"

namespace localbatch {

namespace {

/// Rows of the embedding that a unit of work sums up.
constexpr int kTokensOfUnit = 256;

void add_to_row(std::span<float> sum, const float* row) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += row[i];
}

}  // namespace

TokenEmbedding::TokenEmbedding(const DecoderSettings& settings, const DecoderPlaces& places)
    : settings_(settings),
      embedding_(places.embedding),
      positions_(places.positions),
      first_of_token_(static_cast<std::size_t>(settings.vocabulary) + 1) {}

void TokenEmbedding::forward(const RowBlock& rows, std::span<const std::int32_t> tokens,
                             const float* parameters, float* stream) const {
  const auto width = static_cast<std::size_t>(settings_.width);
  for (int row = rows.first_row; row < rows.first_row + rows.rows; ++row, stream += width) {
    const auto token = static_cast<std::size_t>(tokens[static_cast<std::size_t>(row)]);
    std::copy_n(parameters + embedding_ + token * width, width, stream);
    if (!positions_) continue;
    const auto position = static_cast<std::size_t>(row % settings_.length);
    add_to_row({stream, width}, parameters + *positions_ + position * width);
  }
}

std::size_t TokenEmbedding::scratch() const {
  return scratch_bytes<float>(static_cast<std::size_t>(settings_.width)) +
         scratch_bytes<std::int32_t>(static_cast<std::size_t>(settings_.length));
}

void TokenEmbedding::begin_gradient(std::span<const std::int32_t> tokens) {
  rows_.resize(tokens.size());
  std::ranges::fill(first_of_token_, std::size_t{0});
  for (const std::int32_t token : tokens) ++first_of_token_[static_cast<std::size_t>(token) + 1];
  std::partial_sum(first_of_token_.begin(), first_of_token_.end(), first_of_token_.begin());
  std::vector<std::size_t> next(first_of_token_.begin(), first_of_token_.end() - 1);
  for (std::size_t row = 0; row < tokens.size(); ++row)
    rows_[next[static_cast<std::size_t>(tokens[row])]++] = static_cast<std::int32_t>(row);
}

int TokenEmbedding::token_units() const {
  return (settings_.vocabulary + kTokensOfUnit - 1) / kTokensOfUnit;
}

int TokenEmbedding::gradient_units(const GradientPass& pass, int sequences) const {
  return (pass.wants_gradient() ? token_units() + (positions_ ? 1 : 0) : 0) +
         (pass.sums != nullptr ? sequences : 0);
}

void TokenEmbedding::gradient(int unit, Thread& thread, const Diffs& diffs,
                              const GradientPass& pass) const {
  int sequence = unit;
  if (pass.wants_gradient()) {
    if (unit < token_units()) return add_tokens(unit, diffs, pass);
    sequence -= token_units();
    if (positions_ && sequence-- == 0) return add_positions(diffs, pass);
  }
  add_sequence(unit, sequence, thread, diffs, pass);
}

void TokenEmbedding::add_tokens(int unit, const Diffs& diffs, const GradientPass& pass) const {
  const auto width = static_cast<std::size_t>(settings_.width);
  // The head of tied weights has been here before.
  const bool replaces = pass.use == GradientUse::kReplace && !settings_.tied_head;
  const int first = unit * kTokensOfUnit;
  const int last = std::min(settings_.vocabulary, first + kTokensOfUnit);
  for (auto token = static_cast<std::size_t>(first); token < static_cast<std::size_t>(last);
       ++token) {
    const std::span<float> gradient = pass.gradient.subspan(embedding_ + token * width, width);
    if (replaces) std::ranges::fill(gradient, 0.0F);
    for (std::size_t i = first_of_token_[token]; i < first_of_token_[token + 1]; ++i)
      add_to_row(gradient, diffs.stream + static_cast<std::size_t>(rows_[i]) * width);
  }
}

void TokenEmbedding::add_positions(const Diffs& diffs, const GradientPass& pass) const {
  const auto width = static_cast<std::size_t>(settings_.width);
  const auto length = static_cast<std::size_t>(settings_.length);
  const std::span<float> gradient =
      pass.gradient.subspan(*positions_, static_cast<std::size_t>(settings_.positions) * width);
  if (pass.use == GradientUse::kReplace) std::ranges::fill(gradient, 0.0F);
  for (std::size_t row = 0; row < diffs.tokens.size(); ++row)
    add_to_row(gradient.subspan(row % length * width, width), diffs.stream + row * width);
}

void TokenEmbedding::add_sequence(int unit, int sequence, Thread& thread, const Diffs& diffs,
                                  const GradientPass& pass) const {
  const Thread::Frame frame(thread);
  const auto width = static_cast<std::size_t>(settings_.width);
  const auto length = static_cast<std::size_t>(settings_.length);
  const std::size_t begin = static_cast<std::size_t>(sequence) * length;
  const auto diff = [&](std::size_t row) { return diffs.stream + row * width; };
  std::int32_t* const order = thread.take<std::int32_t>(length);
  std::iota(order, order + length, static_cast<std::int32_t>(begin));
  const auto token_of = [&](std::int32_t row) {
    return diffs.tokens[static_cast<std::size_t>(row)];
  };
  std::sort(order, order + length, [&](std::int32_t a, std::int32_t b) {
    return std::pair(token_of(a), a) < std::pair(token_of(b), b);
  });
  const std::span<float> sum(thread.take<float>(width), width);
  for (std::size_t i = 0; i < length;) {
    const std::int32_t token = token_of(order[i]);
    std::ranges::fill(sum, 0.0F);
    for (; i < length && token_of(order[i]) == token; ++i)
      add_to_row(sum, diff(static_cast<std::size_t>(order[i])));
    add_to_sums(*pass.sums, unit, sequence, sum,
                embedding_ + static_cast<std::size_t>(token) * width);
  }
  for (std::size_t t = 0; t < length; ++t) {
    const std::span<const float> mine(diff(begin + t), width);
    if (diffs.of_head != nullptr)
      pass.sums->add(unit, sequence,
                     2 * inner_product(mine, {diffs.of_head + (begin + t) * width, width}), 0);
    if (positions_) add_to_sums(*pass.sums, unit, sequence, mine, *positions_ + t * width);
  }
}

}  // namespace localbatch
