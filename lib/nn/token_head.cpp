#include "nn/token_head.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "nn/token_loss.h"

namespace localbatch {

namespace {

/// Logits of a chunk: 64 MB of them.
constexpr int kChunkLogits = 1 << 24;

}  // namespace

template <class T>
TokenHead<T>::TokenHead(MatrixProducts& products, const DecoderSettings& settings,
                        const DecoderPlaces& places, int max_sequences)
    : products_(products),
      settings_(settings),
      norm_place_(places.final_norm),
      layer_(products, places.head),
      gradient_(products, places.head, settings.length),
      max_sequences_(max_sequences),
      normalized_(settings.width),
      norm_parts_{TokenArray<float>(settings.width), TokenArray<float>(settings.width)},
      logits_(settings.vocabulary),
      diff_logits_(settings.vocabulary),
      own_tokens_(settings.width) {}

/// Blocks of rows in a chunk. Where sums of sequences are wanted a chunk is made of whole ones, and
/// then it can be larger.
template <class T>
int TokenHead<T>::chunk_blocks(const RowCut& cut, bool whole_sequences) const {
  const int blocks =
      std::max(1, kChunkLogits / settings_.vocabulary / std::max(1, cut.max_block_rows()));
  if (!whole_sequences) return blocks;
  return std::max(cut.parts(), blocks / cut.parts() * cut.parts());
}

template <class T>
std::size_t TokenHead<T>::max_chunk_rows(bool whole_sequences) const {
  const RowCut cut(settings_.length, max_sequences_);
  const auto rows = static_cast<std::size_t>(chunk_blocks(cut, whole_sequences)) *
                    static_cast<std::size_t>(cut.max_block_rows());
  return std::min(rows, static_cast<std::size_t>(cut.rows()));
}

template <class T>
std::size_t TokenHead<T>::bytes() const {
  const RowCut cut(settings_.length, max_sequences_);
  const auto chunk = static_cast<int>(std::max(max_chunk_rows(false), max_chunk_rows(true)));
  std::size_t bytes = layer_.copy_bytes() + normalized_.bytes(cut.rows()) +
                      2 * norm_parts_[0].bytes(cut.segments()) + logits_.bytes(chunk);
  if constexpr (!std::is_same_v<T, float>) bytes += diff_logits_.bytes(chunk);
  if (settings_.tied_head) bytes += own_tokens_.bytes(cut.rows());
  return bytes;
}

template <class T>
void TokenHead<T>::allocate() {
  const RowCut cut(settings_.length, max_sequences_);
  normalized_.allocate(cut.rows());
  for (TokenArray<float>& parts : norm_parts_) parts.allocate(cut.segments());
  losses_.resize(static_cast<std::size_t>(cut.rows()));
  allocate_logits(max_chunk_rows(/*whole_sequences=*/false));
}

template <class T>
void TokenHead<T>::allocate_logits(std::size_t rows) {
  if (rows <= allocated_logits_) return;
  allocated_logits_ = rows;
  logits_.allocate(static_cast<int>(rows));
  if constexpr (!std::is_same_v<T, float>) diff_logits_.allocate(static_cast<int>(rows));
}

template <class T>
std::size_t TokenHead<T>::scratch() const {
  const RowCut cut(settings_.length, max_sequences_);
  const auto own = scratch_bytes<T>(elements(settings_.length, settings_.length));
  return std::max({scratch_bytes<float>(elements(cut.max_block_rows(), settings_.width)),
                   gradient_.scratch(), settings_.tied_head ? own : 0});
}

template <class T>
void TokenHead<T>::load(std::span<const float> parameters) {
  parameters_ = parameters.data();
  layer_.load(parameters);
}

template <class T>
T* TokenHead<T>::diff_logits(int row_of_chunk) {
  if constexpr (std::is_same_v<T, float>)
    return logits_.row(row_of_chunk);
  else
    return diff_logits_.row(row_of_chunk);
}

template <class T>
double TokenHead<T>::train(Team& team, const RowCut& cut, const Request& request,
                           TokenArray<float>& stream, TokenArray<float>& diff,
                           const GradientPass& pass) {
  const bool whole_sequences = pass.sums != nullptr;
  if (whole_sequences) allocate_logits(max_chunk_rows(true));
  if (wants_own_tokens(pass)) {
    if (!own_tokens_.is_allocated()) own_tokens_.allocate(settings_.length * max_sequences_);
    std::fill_n(own_tokens_.row(0), elements(cut.rows(), settings_.width), 0.0F);
  }
  const int blocks = cut.blocks(), chunk = chunk_blocks(cut, whole_sequences);
  for (int first = 0; first < blocks; first += chunk) {
    const int count = std::min(chunk, blocks - first);
    const int first_row = cut.block(first).first_row;
    team.for_each(count, Phase::kForward, [&](int index, Thread& thread) {
      const RowBlock rows = cut.block(first + index);
      train_block(thread, rows, rows.first_row - first_row, request, stream, diff);
    });
    const RowBlock last = cut.block(first + count - 1);
    GradientPass of_chunk = pass;
    if (first > 0) of_chunk.use = GradientUse::kAdd;
    const int rows = last.first_row + last.rows - first_row;
    add_gradient(team, cut, first_row, rows, of_chunk);
    if (wants_own_tokens(pass)) find_own_tokens(team, first_row, rows, request.tokens);
  }
  run_gradient_units(team, pass, 1, [&](int unit, Thread&) {
    finish_norm(cut, norm_parts_, norm_place_, settings_.width, unit, pass);
  });
  return std::accumulate(losses_.begin(), losses_.begin() + cut.rows(), 0.0);
}

template <class T>
void TokenHead<T>::train_block(Thread& thread, const RowBlock& rows, int row_of_chunk,
                               const Request& request, TokenArray<float>& stream,
                               TokenArray<float>& diff) {
  const Thread::Frame frame(thread);
  const std::size_t size = elements(rows.rows, settings_.width);
  float* const diff_normalized = thread.take<float>(size);
  T* const normalized = normalized_.row(rows.first_row);
  {
    const Thread::Timed timed(thread, Phase::kElementwise);
    normalize_rows(norm(), rows.rows, stream.row(rows.first_row), normalized);
  }
  layer_.forward(thread, rows.rows, normalized, logits_.row(row_of_chunk));
  {
    const Thread::Timed timed(thread, Phase::kElementwise);
    for (int i = 0; i < rows.rows; ++i) {
      const std::size_t row =
          static_cast<std::size_t>(rows.first_row) + static_cast<std::size_t>(i);
      double factor = request.weight;
      if (!request.sequence_weights.empty())
        factor *= request.sequence_weights[row / static_cast<std::size_t>(settings_.length)];
      losses_[row] = token_loss_gradient(
                         logits_.row(row_of_chunk + i), settings_.vocabulary, request.targets[row],
                         {.factor = static_cast<float>(factor),
                          .label_smoothing = static_cast<float>(request.label_smoothing)},
                         diff_logits(row_of_chunk + i))
                         .loss;
    }
  }
  {
    const Thread::Timed timed(thread, Phase::kBackwardData);
    layer_.backward(thread, rows.rows, diff_logits(row_of_chunk), diff_normalized);
  }
  const Thread::Timed timed(thread, Phase::kElementwise);
  std::fill_n(diff.row(rows.first_row), size, 0.0F);
  normalize_segments_backward(norm(), rows, stream.row(rows.first_row), diff_normalized,
                              diff.row(rows.first_row), norm_parts_);
}

template <class T>
void TokenHead<T>::add_gradient(Team& team, const RowCut& cut, int first_row, int rows,
                                const GradientPass& pass) {
  const LinearDiffs<T> diffs{.diff_y = diff_logits(0),
                             .x = normalized_.row(first_row),
                             .rows = rows,
                             .first_sequence = first_row / cut.length()};
  run_gradient_units(team, pass, gradient_.units(pass, rows), [&](int unit, Thread& thread) {
    gradient_.compute(unit, 0, thread, diffs, pass);
  });
}

/// For token t of a sequence: the sum over its tokens s of diff_logits[s][i_t] normalized[s].
template <class T>
void TokenHead<T>::find_own_tokens(Team& team, int first_row, int rows,
                                   std::span<const std::int32_t> tokens) {
  const int length = settings_.length, width = settings_.width;
  team.for_each(rows / length, Phase::kBackwardWeights, [&](int index, Thread& thread) {
    const Thread::Frame frame(thread);
    T* const gathered = thread.take<T>(elements(length, length));  // [s][t]
    const int first = first_row + index * length;
    const std::int32_t* const mine = tokens.data() + first;
    for (int s = 0; s < length; ++s) {
      const T* const diffs = diff_logits(index * length + s);
      T* const row = gathered + elements(s, length);
      for (int t = 0; t < length; ++t) row[t] = diffs[mine[t]];
    }
    products_.multiply(thread,
                       {.rows = length,
                        .inner = length,
                        .columns = width,
                        .a_row = 1,
                        .a_column = length,
                        .b_row = width,
                        .c_row = width},
                       gathered, normalized_.row(first), own_tokens_.row(first));
  });
}

template <class T>
Evaluation TokenHead<T>::evaluate(Team& team, const RowCut& cut,
                                  std::span<const std::int32_t> targets,
                                  TokenArray<float>& stream) {
  const int blocks = cut.blocks(), chunk = chunk_blocks(cut, /*whole_sequences=*/false);
  std::vector<Evaluation> parts(static_cast<std::size_t>(blocks));
  for (int first = 0; first < blocks; first += chunk) {
    const int first_row = cut.block(first).first_row;
    team.for_each(std::min(chunk, blocks - first), Phase::kForward, [&](int index, Thread& thread) {
      const RowBlock rows = cut.block(first + index);
      T* const normalized = normalized_.row(rows.first_row);
      float* const logits = logits_.row(rows.first_row - first_row);
      normalize_rows(norm(), rows.rows, stream.row(rows.first_row), normalized);
      layer_.forward(thread, rows.rows, normalized, logits);
      Evaluation& part = parts[static_cast<std::size_t>(first) + static_cast<std::size_t>(index)];
      for (int i = 0; i < rows.rows; ++i) {
        const std::int32_t target =
            targets[static_cast<std::size_t>(rows.first_row) + static_cast<std::size_t>(i)];
        if (target < 0) continue;
        const TokenLoss loss =
            token_loss(logits + elements(i, settings_.vocabulary), settings_.vocabulary, target);
        part += {.loss_sum = loss.loss, .correct = loss.correct ? 1 : 0, .count = 1};
      }
    });
  }
  Evaluation sum;
  for (const Evaluation& part : parts) sum += part;
  return sum;
}

template <class T>
void TokenHead<T>::logits(Thread& thread, const float* stream, std::span<float> logits) const {
  const Thread::Frame frame(thread);
  T* const normalized = thread.take<T>(static_cast<std::size_t>(settings_.width));
  normalize_rows(norm(), 1, stream, normalized);
  layer_.forward(thread, 1, normalized, logits.data());
}

template class TokenHead<float>;
template class TokenHead<Bfloat16>;

}  // namespace localbatch
