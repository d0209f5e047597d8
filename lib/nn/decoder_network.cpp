#include "nn/decoder_network.h"

#include <algorithm>

#include "core/error.h"

namespace localbatch {

template <class T>
DecoderNetwork<T>::DecoderNetwork(const DecoderModel& model, const ExecutionOptions& options)
    : DecoderNetwork(model, options, Allocation::kNow) {}

template <class T>
DecoderNetwork<T>::DecoderNetwork(const DecoderModel& model, const ExecutionOptions& options,
                                  Allocation allocation)
    : model_(model),
      settings_(model.settings()),
      parameter_count_(model.parameter_count()),
      max_samples_(options.max_samples),
      label_smoothing_(options.label_smoothing),
      team_(options.threads),
      products_(options.precision, options.threads),
      embedding_(settings_, model.places()),
      head_(products_, settings_, model.places(), options.max_samples),
      last_stream_(settings_.width),
      diff_stream_(settings_.width),
      diffs_(settings_) {
  check(options.max_samples >= 1 && options.threads >= 1, "a network has sequences and threads");
  const SingleThreadScope single_thread;
  for (const BlockPlaces& places : model.places().blocks) {
    blocks_.push_back(std::make_unique<DecoderBlock<T>>(products_, settings_, places));
    activations_.emplace_back(settings_);
  }
  if (allocation == Allocation::kNow) allocate();
}

template <class T>
std::size_t DecoderNetwork<T>::thread_bytes() const {
  const RowCut cut(settings_.length, max_samples_);
  return std::max(
      {blocks_.front()->scratch(cut.max_block_rows()), head_.scratch(), embedding_.scratch()});
}

template <class T>
void DecoderNetwork<T>::allocate() {
  const RowCut cut(settings_.length, max_samples_);
  team_.allocate(thread_bytes(), 0);
  const auto allocate_rows = [&](auto& array) { array.allocate(cut.rows()); };
  for (BlockActivations<T>& activations : activations_) activations.for_each(allocate_rows);
  diffs_.for_each(allocate_rows);
  diffs_.for_each_part([&](auto& array) { array.allocate(cut.segments()); });
  allocate_rows(last_stream_);
  allocate_rows(diff_stream_);
  head_.allocate();
}

template <class T>
std::size_t DecoderNetwork<T>::predicted_bytes(const DecoderModel& model,
                                               const ExecutionOptions& options) {
  DecoderNetwork network(model, options, Allocation::kNever);
  const RowCut cut(network.settings_.length, options.max_samples);
  std::size_t bytes = network.head_.bytes() + static_cast<std::size_t>(options.threads) *
                                                  allocated_bytes(network.thread_bytes());
  const auto count_rows = [&](auto& array) { bytes += array.bytes(cut.rows()); };
  for (BlockActivations<T>& activations : network.activations_) activations.for_each(count_rows);
  network.diffs_.for_each(count_rows);
  network.diffs_.for_each_part([&](auto& array) { bytes += array.bytes(cut.segments()); });
  count_rows(network.last_stream_);
  count_rows(network.diff_stream_);
  for (const auto& block : network.blocks_) bytes += block->copy_bytes();
  return bytes;
}

template <class T>
void DecoderNetwork<T>::to_canonical(std::span<const float> parameters,
                                     std::span<float> canonical) const {
  std::ranges::copy(parameters, canonical.begin());
}

template <class T>
void DecoderNetwork<T>::from_canonical(std::span<const float> canonical,
                                       std::span<float> parameters) const {
  std::ranges::copy(canonical, parameters.begin());
}

template <class T>
void DecoderNetwork<T>::load(std::span<const float> parameters,
                             std::span<float> /*running_moments*/) {
  check(parameters.size() == parameter_count_, "a network is loaded with arrays of its own size");
  const SingleThreadScope single_thread;
  const Stopwatch::Scope timed(loading_);
  parameters_ = parameters;
  // The head is the largest layer, and should not be begun last.
  team_.for_each(static_cast<int>(blocks_.size()) + 1, Phase::kWeights, [&](int index, Thread&) {
    if (index == 0)
      head_.load(parameters);
    else
      blocks_[static_cast<std::size_t>(index) - 1]->load(parameters);
  });
}

template <class T>
std::span<const std::int32_t> DecoderNetwork<T>::tokens_of(const Batch& batch) const {
  check(batch.samples >= 1 && batch.samples <= max_samples_,
        "a micro-batch has between one sequence and as many as the network was made for");
  const std::size_t rows = elements(batch.samples, settings_.length);
  check(batch.inputs.size() == rows * sizeof(std::int32_t) && batch.targets.size() == rows,
        "every token and its target is there");
  return {reinterpret_cast<const std::int32_t*>(batch.inputs.data()), rows};
}

template <class T>
TokenArray<float>& DecoderNetwork<T>::stream_after(std::size_t block) {
  return block + 1 < activations_.size() ? activations_[block + 1].input : last_stream_;
}

template <class T>
void DecoderNetwork<T>::forward(const RowCut& cut, std::span<const std::int32_t> tokens) {
  const int heads = settings_.key_value_heads;
  team_.for_each(cut.blocks(), Phase::kForward, [&](int index, Thread& thread) {
    const RowBlock rows = cut.block(index);
    float* const stream = activations_.front().input.row(rows.first_row);
    embedding_.forward(rows, tokens, parameters_.data(), stream);
    blocks_.front()->attention_input(thread, rows, activations_.front());
  });
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    BlockActivations<T>& activations = activations_[i];
    team_.for_each(cut.sequences() * heads, Phase::kForward, [&](int index, Thread& thread) {
      blocks_[i]->attend(thread, index / heads, index % heads, activations);
    });
    team_.for_each(cut.blocks(), Phase::kForward, [&](int index, Thread& thread) {
      const RowBlock rows = cut.block(index);
      blocks_[i]->feed_forward(thread, rows, activations, stream_after(i).row(rows.first_row));
      if (i + 1 < blocks_.size())
        blocks_[i + 1]->attention_input(thread, rows, activations_[i + 1]);
    });
  }
}

template <class T>
void DecoderNetwork<T>::backward(const RowCut& cut, std::span<const std::int32_t> tokens,
                                 const GradientPass& pass) {
  const int heads = settings_.key_value_heads;
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    DecoderBlock<T>& block = *blocks_[i];
    BlockActivations<T>& activations = activations_[i];
    team_.for_each(cut.blocks(), Phase::kBackwardData, [&](int index, Thread& thread) {
      const RowBlock rows = cut.block(index);
      block.feed_forward_backward(thread, rows, activations, diff_stream_.row(rows.first_row),
                                  diffs_);
    });
    team_.for_each(cut.sequences() * heads, Phase::kBackwardData, [&](int index, Thread& thread) {
      block.attend_backward(thread, index / heads, index % heads, activations, diffs_);
    });
    team_.for_each(cut.blocks(), Phase::kBackwardData, [&](int index, Thread& thread) {
      const RowBlock rows = cut.block(index);
      block.attention_input_backward(thread, rows, activations, diff_stream_.row(rows.first_row),
                                     diffs_);
    });
    run_gradient_units(team_, pass, block.gradient_units(pass, cut.rows()),
                       [&](int unit, Thread& thread) {
                         block.gradient(unit, thread, cut, activations, diffs_, pass);
                       });
  }
  const TokenEmbedding::Diffs diffs{.tokens = tokens,
                                    .stream = diff_stream_.row(0),
                                    .of_head = head_.gradient_by_own_tokens(pass)};
  embedding_.begin_gradient(tokens);
  run_gradient_units(
      team_, pass, embedding_.gradient_units(pass, cut.sequences()),
      [&](int unit, Thread& thread) { embedding_.gradient(unit, thread, diffs, pass); });
}

template <class T>
double DecoderNetwork<T>::compute_gradients(const Batch& batch, double weight,
                                            std::span<const double> sequence_weights,
                                            const GradientPass& pass) {
  const SingleThreadScope single_thread;
  const std::span<const std::int32_t> tokens = tokens_of(batch);
  const RowCut cut(settings_.length, batch.samples);
  {
    const Stopwatch::Scope timed(forward_);
    forward(cut, tokens);
  }
  const Stopwatch::Scope timed(backward_);
  const double loss = head_.train(team_, cut,
                                  {.tokens = tokens,
                                   .targets = batch.targets,
                                   .weight = weight / cut.rows(),
                                   .label_smoothing = label_smoothing_,
                                   .sequence_weights = sequence_weights},
                                  stream_after(blocks_.size() - 1), diff_stream_, pass);
  backward(cut, tokens, pass);
  return loss / cut.rows();
}

template <class T>
double DecoderNetwork<T>::train(const Batch& batch, double weight, std::span<float> gradient,
                                GradientUse use) {
  check(gradient.size() == parameters_.size(), "there is a gradient for every parameter");
  return compute_gradients(batch, weight, {}, {.gradient = gradient, .use = use});
}

template <class T>
double DecoderNetwork<T>::sample_gradients(const Batch& batch, std::span<float> gradient,
                                           GradientUse use, const SampleSums& sums) {
  check(gradient.empty() || gradient.size() == parameters_.size(),
        "there is a gradient for every parameter");
  check(sums.inner_products.empty() || sums.direction.size() == parameters_.size(),
        "inner products are taken with a direction for every parameter");
  std::ranges::fill(sums.squared_norms, 0.0);
  std::ranges::fill(sums.inner_products, 0.0);
  SequenceSums wanted(sums, batch.samples);
  const bool wants_sums = wanted.wants_norms() || wanted.wants_inner_products();
  return compute_gradients(
      batch, batch.samples, sums.weights,
      {.gradient = gradient, .use = use, .sums = wants_sums ? &wanted : nullptr});
}

template <class T>
Evaluation DecoderNetwork<T>::evaluate(const Batch& batch) {
  const SingleThreadScope single_thread;
  const Stopwatch::Scope timed(evaluation_);
  const RowCut cut(settings_.length, batch.samples);
  forward(cut, tokens_of(batch));
  return head_.evaluate(team_, cut, batch.targets, stream_after(blocks_.size() - 1));
}

template <class T>
void DecoderNetwork<T>::predict(std::span<const std::int32_t> tokens, std::span<float> logits) {
  const auto length = static_cast<std::size_t>(settings_.length);
  check(!tokens.empty() && tokens.size() <= length, "what is continued fits into a window");
  check(logits.size() == static_cast<std::size_t>(settings_.vocabulary),
        "there is a logit for every token");
  const SingleThreadScope single_thread;
  const Stopwatch::Scope timed(evaluation_);
  // Attention is causal: it does not matter what stands behind the last token.
  std::vector<std::int32_t> window(length, 0);
  std::ranges::copy(tokens, window.begin());
  forward(RowCut(settings_.length, 1), window);
  const float* const last =
      stream_after(blocks_.size() - 1).row(static_cast<int>(tokens.size()) - 1);
  team_.for_each(1, Phase::kForward,
                 [&](int, Thread& thread) { head_.logits(thread, last, logits); });
}

template <class T>
void DecoderNetwork<T>::for_each(int count, const std::function<void(int)>& work) {
  // To the network this is waiting: its caller counts it.
  team_.for_each(count, Phase::kWaiting, [&work](int index, Thread&) { work(index); });
}

template <class T>
PhaseSeconds DecoderNetwork<T>::phase_seconds() const {
  return team_.phase_seconds(loading_.seconds() + forward_.seconds() + backward_.seconds() +
                             evaluation_.seconds());
}

template class DecoderNetwork<float>;
template class DecoderNetwork<Bfloat16>;

}  // namespace localbatch
