#include "decoder_reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/random.h"

namespace localbatch {

namespace {

using Numbers = std::vector<double>;

/// One sequence of a decoder.
class ReferenceDecoder {
 public:
  ReferenceDecoder(const DecoderModel& model, std::span<const double> parameters)
      : model_(model), s_(model.settings()), parameters_(parameters) {}

  double loss(std::span<const std::int32_t> tokens, std::span<const std::int32_t> targets) const {
    std::vector<Numbers> stream;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      Numbers h = row(model_.places().embedding, s_.width, tokens[t]);
      if (model_.places().positions)
        add(h, row(*model_.places().positions, s_.width, static_cast<int>(t)));
      stream.push_back(h);
    }
    for (const BlockPlaces& block : model_.places().blocks) {
      add_attention(block, stream);
      for (Numbers& h : stream) add(h, feed_forward(block, h));
    }
    double sum = 0;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const Numbers logits =
          linear(model_.places().head, normalize(model_.places().final_norm, stream[t]));
      const double largest = *std::ranges::max_element(logits);
      double exponentials = 0;
      for (const double logit : logits) exponentials += std::exp(logit - largest);
      sum += largest + std::log(exponentials) - logits[static_cast<std::size_t>(targets[t])];
    }
    return sum / static_cast<double>(tokens.size());
  }

 private:
  Numbers row(std::size_t place, int width, int index) const {
    const auto begin = parameters_.begin() + static_cast<std::ptrdiff_t>(place) +
                       static_cast<std::ptrdiff_t>(index) * width;
    return {begin, begin + width};
  }

  static void add(Numbers& sum, const Numbers& other) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
  }

  Numbers linear(const LinearPlace& place, const Numbers& x) const {
    Numbers y;
    for (int o = 0; o < place.outputs; ++o) {
      const Numbers w = row(place.weight, place.inputs, o);
      y.push_back(std::inner_product(w.begin(), w.end(), x.begin(),
                                     place.bias ? parameters_[*place.bias + o] : 0.0));
    }
    return y;
  }

  Numbers normalize(const NormPlace& place, Numbers x) const {
    const auto size = static_cast<double>(x.size());
    const double mean = s_.centered_norm ? std::accumulate(x.begin(), x.end(), 0.0) / size : 0.0;
    double square = 0;
    for (double& value : x) {
      value -= mean;
      square += value * value;
    }
    const double deviation = std::sqrt(square / size + s_.epsilon);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = x[i] / deviation * parameters_[place.scale + i] +
             (place.shift ? parameters_[*place.shift + i] : 0.0);
    return x;
  }

  Numbers feed_forward(const BlockPlaces& block, const Numbers& h) const {
    const Numbers a = linear(block.feed_forward_input, normalize(block.feed_forward_norm, h));
    Numbers z;
    for (std::size_t i = 0; i < static_cast<std::size_t>(s_.hidden); ++i) {
      const double x = a[i];
      switch (s_.gate) {
        case Gate::kSilu:
          z.push_back(x / (1 + std::exp(-x)) * a[i + static_cast<std::size_t>(s_.hidden)]);
          break;
        case Gate::kGelu:
          z.push_back(x / 2 * (1 + std::erf(x / std::numbers::sqrt2)));
          break;
        case Gate::kGeluTanh:
          z.push_back(
              x / 2 *
              (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))));
      }
    }
    return linear(block.feed_forward_output, z);
  }

  /// A head's numbers of a token, turned by its position if positions are rotary.
  Numbers head(const Numbers& token, int first, std::size_t position, bool turns) const {
    const auto e = static_cast<std::size_t>(s_.head_size);
    Numbers x(token.begin() + first, token.begin() + first + s_.head_size);
    if (!turns || s_.positions > 0) return x;
    Numbers y(e);
    for (std::size_t j = 0; j < e / 2; ++j) {
      const double angle =
          static_cast<double>(position) *
          std::pow(s_.rotary_base, -2.0 * static_cast<double>(j) / static_cast<double>(e));
      y[j] = x[j] * std::cos(angle) - x[j + e / 2] * std::sin(angle);
      y[j + e / 2] = x[j] * std::sin(angle) + x[j + e / 2] * std::cos(angle);
    }
    return y;
  }

  void add_attention(const BlockPlaces& block, std::vector<Numbers>& stream) const {
    std::vector<Numbers> qkv;
    for (const Numbers& h : stream)
      qkv.push_back(linear(block.attention_input, normalize(block.attention_norm, h)));
    for (std::size_t t = 0; t < stream.size(); ++t) {
      Numbers attended;
      for (int j = 0; j < s_.heads; ++j) {
        const int group = j / (s_.heads / s_.key_value_heads);
        const int key = s_.query_features() + group * s_.head_size;
        const int value = key + s_.key_value_features();
        const Numbers q = head(qkv[t], j * s_.head_size, t, true);
        Numbers weights;
        double sum = 0;
        for (std::size_t u = 0; u <= t; ++u) {
          const Numbers k = head(qkv[u], key, u, true);
          weights.push_back(std::exp(std::inner_product(q.begin(), q.end(), k.begin(), 0.0) /
                                     std::sqrt(s_.head_size)));
          sum += weights.back();
        }
        Numbers o(static_cast<std::size_t>(s_.head_size));
        for (std::size_t u = 0; u <= t; ++u) {
          const Numbers v = head(qkv[u], value, u, false);
          for (std::size_t i = 0; i < o.size(); ++i) o[i] += weights[u] / sum * v[i];
        }
        attended.insert(attended.end(), o.begin(), o.end());
      }
      add(stream[t], linear(block.attention_output, attended));
    }
  }

  const DecoderModel& model_;
  const DecoderSettings& s_;
  std::span<const double> parameters_;
};

}  // namespace

std::vector<double> reference_losses(const DecoderModel& model, std::span<const double> parameters,
                                     std::span<const std::int32_t> tokens,
                                     std::span<const std::int32_t> targets) {
  const auto length = static_cast<std::size_t>(model.settings().length);
  std::vector<double> losses;
  for (std::size_t first = 0; first < tokens.size(); first += length)
    losses.push_back(ReferenceDecoder(model, parameters)
                         .loss(tokens.subspan(first, length), targets.subspan(first, length)));
  return losses;
}

std::vector<TestDecoder> test_decoders(int length) {
  const DecoderSettings llama{.layers = 2,
                              .width = 36,
                              .heads = 6,
                              .key_value_heads = 3,
                              .head_size = 8,
                              .hidden = 20,
                              .vocabulary = 19,
                              .length = length,
                              .rotary_base = 100};
  const DecoderSettings gpt{.layers = 2,
                            .width = 24,
                            .heads = 3,
                            .key_value_heads = 3,
                            .head_size = 8,
                            .hidden = 40,
                            .vocabulary = 21,
                            .length = length,
                            .positions = length + 2,
                            .centered_norm = true,
                            .gate = Gate::kGelu,
                            .llama_names = false};
  std::vector<TestDecoder> decoders;
  const auto add = [&](const char* name, DecoderSettings settings, const auto& change) {
    change(settings);
    decoders.push_back({name, settings});
  };
  add("llama, tied", llama, [](DecoderSettings&) {});
  add("llama, untied", llama, [](DecoderSettings& s) { s.tied_head = false; });
  add("llama, one key head", llama, [](DecoderSettings& s) { s.key_value_heads = 1; });
  add("llama, all key heads, untied", llama, [](DecoderSettings& s) {
    s.key_value_heads = s.heads;
    s.tied_head = false;
  });
  add("gpt, tied", gpt, [](DecoderSettings&) {});
  add("gpt, biases, tanh, untied", gpt, [](DecoderSettings& s) {
    s.bias = true;
    s.gate = Gate::kGeluTanh;
    s.tied_head = false;
  });
  return decoders;
}

TestTokens::TestTokens(const DecoderSettings& settings, int count, std::uint64_t seed)
    : length(settings.length), sequences(count) {
  RandomStream random(seed, Purpose::kTest, 77);
  for (int i = 0; i < length * sequences; ++i) {
    tokens.push_back(static_cast<std::int32_t>(random.below(settings.vocabulary)));
    targets.push_back(static_cast<std::int32_t>(random.below(settings.vocabulary)));
  }
}

Batch TestTokens::batch() const {
  return {.samples = sequences, .inputs = std::as_bytes(std::span(tokens)), .targets = targets};
}

Batch TestTokens::batch(int sequence) const {
  const auto first = static_cast<std::size_t>(sequence) * static_cast<std::size_t>(length);
  const auto size = static_cast<std::size_t>(length);
  return {.samples = 1,
          .inputs = std::as_bytes(std::span(tokens).subspan(first, size)),
          .targets = std::span(targets).subspan(first, size)};
}

std::vector<float> test_parameters(const DecoderModel& model, std::uint64_t seed) {
  std::vector<float> parameters(model.parameter_count());
  model.initialize_parameters(seed, parameters);
  RandomStream random(seed, Purpose::kTest, 78);
  for (const TensorView& tensor : model.parameter_tensors())
    for (float& value : std::span(parameters).subspan(tensor.offset, tensor.size))
      value += (tensor.dims.size() == 1 ? 0.3F : 0.2F) * random.normal();
  return parameters;
}

}  // namespace localbatch
