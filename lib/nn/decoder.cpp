#include "nn/decoder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "nn/decoder_network.h"

namespace localbatch {

namespace {

/// The deviation of most matrices, and of those that write into the residual stream.
std::pair<double, double> deviations(const DecoderSettings& settings) {
  if (settings.initialization == DecoderInitialization::kGpt2)
    return {0.02, 0.02 / std::sqrt(2.0 * settings.layers)};
  return {std::sqrt(2.0 / (5.0 * settings.width)),
          1.0 / (std::sqrt(static_cast<double>(settings.width)) * settings.layers)};
}

}  // namespace

DecoderModel::DecoderModel(const DecoderSettings& settings) : settings_(settings) {
  check(settings.heads % settings.key_value_heads == 0, "query heads share keys evenly");
  check(settings.positions == 0 || settings.length <= settings.positions,
        "every token of a sequence has a position");
  const bool llama = settings.llama_names;
  const double deviation = deviations(settings).first;
  places_.embedding = add(llama ? "model.embed_tokens.weight" : "transformer.wte.weight",
                          {settings.vocabulary, settings.width}, {.deviation = deviation});
  if (settings.positions > 0)
    places_.positions = add(llama ? "model.embed_positions.weight" : "transformer.wpe.weight",
                            {settings.positions, settings.width}, {.deviation = deviation});
  for (int layer = 0; layer < settings.layers; ++layer) add_block(layer);
  places_.final_norm = add_norm(llama ? "model.norm" : "transformer.ln_f");
  if (settings.tied_head) {
    places_.head = {
        .inputs = settings.width, .outputs = settings.vocabulary, .weight = places_.embedding};
  } else {
    const std::size_t weight =
        add("lm_head.weight", {settings.vocabulary, settings.width}, {.deviation = deviation});
    places_.head = {.inputs = settings.width, .outputs = settings.vocabulary, .weight = weight};
  }
}

std::size_t DecoderModel::add(std::string name, std::vector<int> dims,
                              const InitialValue& initial) {
  const std::size_t size = std::accumulate(
      dims.begin(), dims.end(), std::size_t{1},
      [](std::size_t product, int dim) { return product * static_cast<std::size_t>(dim); });
  const std::size_t offset = total_size(tensors_);
  tensors_.push_back({.name = std::move(name),
                      .dims = std::move(dims),
                      .layer = tensors_.size(),
                      .offset = offset,
                      .size = size});
  initial_values_.push_back(initial);
  return offset;
}

NormPlace DecoderModel::add_norm(const std::string& name) {
  NormPlace place{.scale = add(name + ".weight", {settings_.width}, {.mean = 1})};
  if (settings_.bias && settings_.centered_norm)
    place.shift = add(name + ".bias", {settings_.width}, {});
  return place;
}

LinearPlace DecoderModel::add_linear(const std::vector<std::pair<std::string, int>>& parts,
                                     int inputs, double deviation) {
  check(!settings_.bias || parts.size() == 1, "matrices that lie together have no biases");
  LinearPlace place{.inputs = inputs};
  for (const auto& [name, outputs] : parts) {
    const std::size_t offset = add(name + ".weight", {outputs, inputs}, {.deviation = deviation});
    tensors_.back().hidden_matrix = true;
    if (place.outputs == 0) place.weight = offset;
    place.outputs += outputs;
  }
  if (settings_.bias) place.bias = add(parts.front().first + ".bias", {place.outputs}, {});
  return place;
}

void DecoderModel::add_block(int layer) {
  const DecoderSettings& s = settings_;
  const auto [deviation, to_stream] = deviations(s);
  const std::string name = s.llama_names ? fmt::format("model.layers.{}.", layer)
                                         : fmt::format("transformer.h.{}.", layer);
  const auto named = [&](const char* llama, const char* gpt) {
    return name + (s.llama_names ? llama : gpt);
  };
  BlockPlaces block;
  block.attention_norm = add_norm(named("input_layernorm", "ln_1"));
  if (s.llama_names)
    block.attention_input = add_linear({{name + "self_attn.q_proj", s.query_features()},
                                        {name + "self_attn.k_proj", s.key_value_features()},
                                        {name + "self_attn.v_proj", s.key_value_features()}},
                                       s.width, deviation);
  else
    block.attention_input =
        add_linear({{name + "attn.c_attn", s.attention_features()}}, s.width, deviation);
  block.attention_output = add_linear({{named("self_attn.o_proj", "attn.c_proj"), s.width}},
                                      s.query_features(), to_stream);
  block.feed_forward_norm = add_norm(named("post_attention_layernorm", "ln_2"));
  if (s.gate == Gate::kSilu)
    block.feed_forward_input = add_linear(
        {{name + "mlp.gate_proj", s.hidden}, {name + "mlp.up_proj", s.hidden}}, s.width, deviation);
  else
    block.feed_forward_input =
        add_linear({{named("mlp.up_proj", "mlp.c_fc"), s.hidden}}, s.width, deviation);
  block.feed_forward_output =
      add_linear({{named("mlp.down_proj", "mlp.c_proj"), s.width}}, s.hidden, to_stream);
  places_.blocks.push_back(block);
}

void DecoderModel::initialize_parameters(std::uint64_t seed, std::span<float> canonical) const {
  check(canonical.size() == total_size(tensors_), "there is a place for every parameter");
  for (std::size_t index = 0; index < tensors_.size(); ++index) {
    const auto [mean, deviation] = initial_values_[index];
    const std::span<float> values = canonical.subspan(tensors_[index].offset, tensors_[index].size);
    std::ranges::fill(values, static_cast<float>(mean));
    if (deviation == 0) continue;
    RandomStream random(seed, Purpose::kInitialization, index);
    for (float& value : values) value = static_cast<float>(deviation) * random.normal();
  }
}

std::int64_t DecoderModel::multiply_adds() const {
  std::int64_t of_token = 0;
  const auto count = [&](const LinearPlace& linear) {
    of_token += static_cast<std::int64_t>(linear.weight_size());
  };
  for (const BlockPlaces& block : places_.blocks) {
    count(block.attention_input);
    count(block.attention_output);
    count(block.feed_forward_input);
    count(block.feed_forward_output);
    // Scores and their sums: T query_features each, on average half of it.
    of_token += std::int64_t{settings_.length} * settings_.query_features();
  }
  count(places_.head);
  return of_token * settings_.length;
}

std::unique_ptr<Network> DecoderModel::make_network(const ExecutionOptions& options) const {
  if (options.precision == Precision::kBfloat16)
    return std::make_unique<DecoderNetwork<Bfloat16>>(*this, options);
  return std::make_unique<DecoderNetwork<float>>(*this, options);
}

namespace {

template <class T>
std::unique_ptr<TokenPredictor> predictor_of(const DecoderModel& model, ExecutionOptions options,
                                             std::span<const float> parameters) {
  options.max_samples = 1;
  auto network = std::make_unique<DecoderNetwork<T>>(model, options);
  network->load(parameters, {});
  return network;
}

}  // namespace

std::unique_ptr<TokenPredictor> DecoderModel::make_predictor(
    const ExecutionOptions& options, std::span<const float> canonical) const {
  return options.precision == Precision::kBfloat16
             ? predictor_of<Bfloat16>(*this, options, canonical)
             : predictor_of<float>(*this, options, canonical);
}

std::size_t DecoderModel::predicted_bytes(const ExecutionOptions& options) const {
  return options.precision == Precision::kBfloat16
             ? DecoderNetwork<Bfloat16>::predicted_bytes(*this, options)
             : DecoderNetwork<float>::predicted_bytes(*this, options);
}

}  // namespace localbatch
