#include "nn/decoder_block.h"

#include <algorithm>
#include <array>

#include "core/vector.h"

namespace localbatch {

namespace {

enum LinearIndex { kAttentionInput, kAttentionOutput, kFeedForwardInput, kFeedForwardOutput };

AttentionShape attention_shape(const DecoderSettings& settings) {
  return {.length = settings.length,
          .heads = settings.heads,
          .key_value_heads = settings.key_value_heads,
          .head_size = settings.head_size,
          .rotary_base = settings.positions > 0 ? 0 : settings.rotary_base};
}

void add_rows(std::size_t size, const float* x, const float* y, float* sum) {
  for (std::size_t i = 0; i < size; ++i) sum[i] = x[i] + y[i];
}

}  // namespace

TokenNorm norm_of(const DecoderSettings& settings, const NormPlace& place,
                  const float* parameters) {
  return {.width = settings.width,
          .centered = settings.centered_norm,
          .epsilon = settings.epsilon,
          .scale = parameters + place.scale,
          .shift = place.shift ? parameters + *place.shift : nullptr};
}

void finish_norm(const RowCut& cut, NormParts& parts, const NormPlace& place, int width, int unit,
                 const GradientPass& pass) {
  const std::size_t size = elements(cut.segments(), width);
  finish_segments(cut, {parts[0].row(0), size}, width, place.scale, unit, pass);
  if (place.shift) finish_segments(cut, {parts[1].row(0), size}, width, *place.shift, unit, pass);
}

template <class T>
BlockActivations<T>::BlockActivations(const DecoderSettings& settings)
    : input(settings.width),
      attention_inputs(settings.attention_features()),
      attended(settings.query_features()),
      log_sum_exp(settings.heads),
      middle(settings.width),
      gate_inputs(settings.gate_features()) {}

template <class T>
BlockDiffs<T>::BlockDiffs(const DecoderSettings& settings)
    : attended(settings.query_features()),
      attention_normalized(settings.width),
      attention_inputs(settings.attention_features()),
      attention_output(settings.width),
      feed_forward_normalized(settings.width),
      gated(settings.hidden),
      gate_inputs(settings.gate_features()),
      feed_forward_output(settings.width),
      attention_norm{TokenArray<float>(settings.width), TokenArray<float>(settings.width)},
      feed_forward_norm{TokenArray<float>(settings.width), TokenArray<float>(settings.width)} {}

template <class T>
DecoderBlock<T>::DecoderBlock(MatrixProducts& products, const DecoderSettings& settings,
                              const BlockPlaces& places)
    : settings_(settings), places_(places), attention_(attention_shape(settings)), linear_([&] {
        const auto linear = [&](const LinearPlace& place) {
          return Linear{.layer = TokenLinear<T>(products, place),
                        .gradient = WeightGradient<T>(products, place, settings.length)};
        };
        return std::array<Linear, 4>{
            linear(places.attention_input), linear(places.attention_output),
            linear(places.feed_forward_input), linear(places.feed_forward_output)};
      }()) {}

template <class T>
std::size_t DecoderBlock<T>::copy_bytes() const {
  std::size_t bytes = 0;
  for (const Linear& linear : linear_) bytes += linear.layer.copy_bytes();
  return bytes;
}

template <class T>
std::size_t DecoderBlock<T>::scratch(int block_rows) const {
  const std::size_t rows = scratch_bytes<float>(elements(block_rows, settings_.hidden)) +
                           2 * scratch_bytes<float>(elements(block_rows, settings_.width));
  std::size_t gradient = 0;
  for (const Linear& linear : linear_) gradient = std::max(gradient, linear.gradient.scratch());
  return std::max({rows, gradient, attention_.scratch_bytes()});
}

template <class T>
void DecoderBlock<T>::load(std::span<const float> parameters) {
  parameters_ = parameters.data();
  for (Linear& linear : linear_) linear.layer.load(parameters);
}

// ---- Forward ----

template <class T>
void DecoderBlock<T>::attention_input(Thread& thread, const RowBlock& rows,
                                      BlockActivations<T>& activations) {
  const Thread::Frame frame(thread);
  T* const normalized = thread.take<T>(elements(rows.rows, settings_.width));
  {
    const Thread::Timed timed(thread, Phase::kElementwise);
    normalize_rows(norm(places_.attention_norm), rows.rows, activations.input.row(rows.first_row),
                   normalized);
  }
  linear_[kAttentionInput].layer.forward(thread, rows.rows, normalized,
                                         activations.attention_inputs.row(rows.first_row));
}

template <class T>
void DecoderBlock<T>::attend(Thread& thread, int sequence, int key_value_head,
                             BlockActivations<T>& activations) const {
  const int first = sequence * settings_.length;
  attention_.forward(activations.attention_inputs.row(first), settings_.length, key_value_head,
                     activations.attended.row(first), activations.log_sum_exp.row(first), thread);
}

template <class T>
void DecoderBlock<T>::feed_forward(Thread& thread, const RowBlock& rows,
                                   BlockActivations<T>& activations, float* output) const {
  const Thread::Frame frame(thread);
  const std::size_t size = elements(rows.rows, settings_.width);
  float* const sum = thread.take<float>(size);
  T* const normalized = thread.take<T>(size);
  T* const gated = thread.take<T>(elements(rows.rows, settings_.hidden));
  float* const middle = activations.middle.row(rows.first_row);
  float* const gate_inputs = activations.gate_inputs.row(rows.first_row);

  linear_[kAttentionOutput].layer.forward(thread, rows.rows,
                                          activations.attended.row(rows.first_row), sum);
  {
    const Thread::Timed timed(thread, Phase::kElementwise);
    add_rows(size, activations.input.row(rows.first_row), sum, middle);
    normalize_rows(norm(places_.feed_forward_norm), rows.rows, middle, normalized);
  }
  linear_[kFeedForwardInput].layer.forward(thread, rows.rows, normalized, gate_inputs);
  {
    const Thread::Timed timed(thread, Phase::kElementwise);
    gate_forward(settings_.gate, rows.rows, settings_.hidden, gate_inputs, gated);
  }
  linear_[kFeedForwardOutput].layer.forward(thread, rows.rows, gated, sum);
  const Thread::Timed timed(thread, Phase::kElementwise);
  add_rows(size, middle, sum, output);
}

// ---- Backward ----

template <class T>
void DecoderBlock<T>::feed_forward_backward(Thread& thread, const RowBlock& rows,
                                            BlockActivations<T>& activations, float* diff,
                                            BlockDiffs<T>& diffs) const {
  const Thread::Frame frame(thread);
  const int first = rows.first_row;
  const std::size_t size = elements(rows.rows, settings_.width);
  float* const diff_gated = thread.take<float>(elements(rows.rows, settings_.hidden));
  float* const diff_normalized = thread.take<float>(size);
  float* const middle = activations.middle.row(first);

  T* const of_output = diffs.feed_forward_output.row(first);
  to_factors(size, diff, of_output);
  linear_[kFeedForwardOutput].layer.backward(thread, rows.rows, of_output, diff_gated);
  {
    const Thread::Timed timed(thread, Phase::kElementwise);
    gate_backward(settings_.gate, rows.rows, settings_.hidden, activations.gate_inputs.row(first),
                  diff_gated, diffs.gated.row(first), diffs.gate_inputs.row(first));
  }
  linear_[kFeedForwardInput].layer.backward(thread, rows.rows, diffs.gate_inputs.row(first),
                                            diff_normalized);
  T* const of_attention = diffs.attention_output.row(first);
  {
    const Thread::Timed timed(thread, Phase::kElementwise);
    normalize_rows(norm(places_.feed_forward_norm), rows.rows, middle,
                   diffs.feed_forward_normalized.row(first));
    normalize_segments_backward(norm(places_.feed_forward_norm), rows, middle, diff_normalized,
                                diff, diffs.feed_forward_norm);
    to_factors(size, diff, of_attention);
  }
  linear_[kAttentionOutput].layer.backward(thread, rows.rows, of_attention,
                                           diffs.attended.row(first));
}

template <class T>
void DecoderBlock<T>::attend_backward(Thread& thread, int sequence, int key_value_head,
                                      BlockActivations<T>& activations,
                                      BlockDiffs<T>& diffs) const {
  const int first = sequence * settings_.length;
  attention_.backward(activations.attention_inputs.row(first), settings_.length, key_value_head,
                      activations.log_sum_exp.row(first), diffs.attended.row(first),
                      diffs.attention_inputs.row(first), thread);
}

template <class T>
void DecoderBlock<T>::attention_input_backward(Thread& thread, const RowBlock& rows,
                                               BlockActivations<T>& activations, float* diff,
                                               BlockDiffs<T>& diffs) const {
  const Thread::Frame frame(thread);
  const int first = rows.first_row;
  float* const diff_normalized = thread.take<float>(elements(rows.rows, settings_.width));
  linear_[kAttentionInput].layer.backward(thread, rows.rows, diffs.attention_inputs.row(first),
                                          diff_normalized);
  const Thread::Timed timed(thread, Phase::kElementwise);
  const float* const input = activations.input.row(first);
  normalize_rows(norm(places_.attention_norm), rows.rows, input,
                 diffs.attention_normalized.row(first));
  normalize_segments_backward(norm(places_.attention_norm), rows, input, diff_normalized, diff,
                              diffs.attention_norm);
}

// ---- Gradients of the parameters ----

template <class T>
LinearDiffs<T> DecoderBlock<T>::diffs_of(int linear, int rows, BlockActivations<T>& activations,
                                         BlockDiffs<T>& diffs) const {
  switch (linear) {
    case kAttentionInput:
      return {diffs.attention_inputs.row(0), diffs.attention_normalized.row(0), rows};
    case kAttentionOutput:
      return {diffs.attention_output.row(0), activations.attended.row(0), rows};
    case kFeedForwardInput:
      return {diffs.gate_inputs.row(0), diffs.feed_forward_normalized.row(0), rows};
    default:
      return {diffs.feed_forward_output.row(0), diffs.gated.row(0), rows};
  }
}

template <class T>
int DecoderBlock<T>::gradient_units(const GradientPass& pass, int rows) const {
  int units = 1;  // the normalizations
  for (const Linear& linear : linear_) units += linear.gradient.units(pass, rows);
  return units;
}

template <class T>
void DecoderBlock<T>::gradient(int unit, Thread& thread, const RowCut& cut,
                               BlockActivations<T>& activations, BlockDiffs<T>& diffs,
                               const GradientPass& pass) const {
  int first = 0;
  for (int i = 0; i < static_cast<int>(linear_.size()); ++i) {
    const WeightGradient<T>& gradient = linear_[static_cast<std::size_t>(i)].gradient;
    const int units = gradient.units(pass, cut.rows());
    if (unit < first + units)
      return gradient.compute(unit - first, first, thread,
                              diffs_of(i, cut.rows(), activations, diffs), pass);
    first += units;
  }
  finish_norm(cut, diffs.attention_norm, places_.attention_norm, settings_.width, unit, pass);
  finish_norm(cut, diffs.feed_forward_norm, places_.feed_forward_norm, settings_.width, unit, pass);
}

template struct BlockActivations<float>;
template struct BlockActivations<Bfloat16>;
template struct BlockDiffs<float>;
template struct BlockDiffs<Bfloat16>;
template class DecoderBlock<float>;
template class DecoderBlock<Bfloat16>;

}  // namespace localbatch
