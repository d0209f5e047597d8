#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"
#include "nn/decoder.h"
#include "nn/network.h"
#include "nn/pytorch_reference.h"

using namespace localbatch;

// Whole gradients of decoders against PyTorch in double (tests/oracle/pytorch_gradients.py). All
// functions are smooth, so only rounding separates f32 from double: errors are of PyTorch's size in
// every tensor.

namespace {

constexpr std::uint64_t kTokenStream = 1'000'000, kTargetStream = 1'000'001;
constexpr int kSequences = 4;

struct DecoderCase {
  std::string name;
  std::uint64_t seed;
  DecoderSettings settings;
};

const DecoderSettings kLlama{.layers = 2,
                             .width = 96,
                             .heads = 6,
                             .key_value_heads = 2,
                             .head_size = 16,
                             .hidden = 200,
                             .vocabulary = 65,
                             .length = 48};

const DecoderSettings kGpt{.layers = 2,
                           .width = 64,
                           .heads = 4,
                           .key_value_heads = 4,
                           .head_size = 16,
                           .hidden = 256,
                           .vocabulary = 65,
                           .length = 48,
                           .positions = 48,
                           .centered_norm = true,
                           .gate = Gate::kGelu,
                           .llama_names = false};

std::vector<float> parameters_of(const DecoderCase& what, const DecoderModel& model) {
  std::vector<float> parameters(model.parameter_count());
  std::size_t index = 0;
  for (const TensorView& tensor : model.parameter_tensors()) {
    const std::span<float> values = std::span(parameters).subspan(tensor.offset, tensor.size);
    const RandomStream stream(what.seed, Purpose::kTest, index++);
    if (tensor.dims.size() > 1)
      fill_uniform(values, stream, 0, std::sqrt(3.0 / tensor.dims[1]));
    else
      fill_uniform(values, stream, tensor.name.ends_with(".weight") ? 1 : 0, 0.25);
  }
  return parameters;
}

std::vector<std::int32_t> tokens_of(const DecoderCase& what, std::uint64_t stream) {
  RandomStream random(what.seed, Purpose::kTest, stream);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(kSequences * what.settings.length));
  for (std::int32_t& token : tokens)
    token = static_cast<std::int32_t>(
        random.below(static_cast<std::uint32_t>(what.settings.vocabulary)));
  return tokens;
}

LossGradient our_gradient(const DecoderCase& what, const DecoderModel& model, Precision precision) {
  const std::vector<std::int32_t> tokens = tokens_of(what, kTokenStream);
  const std::vector<std::int32_t> targets = tokens_of(what, kTargetStream);
  const auto network =
      model.make_network({.max_samples = kSequences, .threads = 1, .precision = precision});
  const std::vector<float> canonical = parameters_of(what, model);
  std::vector<float> parameters(canonical.size()), gradient(canonical.size());
  network->from_canonical(canonical, parameters);
  network->load(parameters, {});
  LossGradient ours{.values = std::vector<float>(canonical.size())};
  ours.loss = network->train(
      {.samples = kSequences, .inputs = std::as_bytes(std::span(tokens)), .targets = targets}, 1,
      gradient, GradientUse::kReplace);
  network->to_canonical(gradient, ours.values);
  return ours;
}

void check_decoder_against_pytorch(const DecoderCase& what) {
  const DecoderModel model(what.settings);
  const std::vector<TensorView> tensors = model.parameter_tensors();
  for (const Reference& reference : read_references(what.name)) {
    check_float32(reference, tensors, our_gradient(what, model, Precision::kFloat32), "f32",
                  {.factor = 3, .median = 5e-6});
    if (supports_bfloat16())
      check_bfloat16(reference, tensors, our_gradient(what, model, Precision::kBfloat16), "bf16");
  }
  if (!supports_bfloat16()) MESSAGE("bf16 skipped: this CPU has no instructions for it");
}

}  // namespace

TEST_CASE("the gradient of a llama equals PyTorch's, its head tied or not") {
  check_decoder_against_pytorch({"llama_tied", 1, kLlama});
  DecoderSettings untied = kLlama;
  untied.tied_head = false;
  check_decoder_against_pytorch({"llama_untied", 2, untied});
}

TEST_CASE("the gradient of a gpt equals PyTorch's, without biases and with them") {
  check_decoder_against_pytorch({"gpt", 3, kGpt});
  DecoderSettings biased = kGpt;
  biased.bias = true;
  biased.gate = Gate::kGeluTanh;
  check_decoder_against_pytorch({"gpt_bias", 4, biased});
}
