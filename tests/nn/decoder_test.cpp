#include "nn/decoder.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "core/vector_math.h"
#include "core/yaml.h"
#include "decoder_reference.h"

using namespace localbatch;

namespace {

/// The model that an experiment file would name.
std::unique_ptr<const Model> model_of(ModelFactory (*make)(Options&), const std::string& yaml,
                                      int vocabulary, int length) {
  const Node mapping = parse_yaml(yaml, "test");
  Options options(mapping);
  const ModelFactory factory = make(options);
  options.finish();
  return factory.make({.input = TokenWindow{length}, .num_classes = vocabulary});
}

}  // namespace

TEST_CASE("published models have their published numbers of parameters") {
  const auto llama = [](const std::string& yaml, int vocabulary, int length) {
    return model_of(make_llama, yaml, vocabulary, length)->parameter_count();
  };
  CHECK(llama("size: micro_llama_300m", 32000, 2048) == 304'636'928);
  CHECK(llama("{size: micro_llama_300m, tied_head: true}", 32000, 2048) == 271'868'928);
  CHECK(llama("size: tiny_llama_1.1b", 32000, 2048) == 1'100'048'384);
  CHECK(llama("size: stories260k", 512, 512) == 260'032);
  CHECK(llama("size: stories15m", 32000, 256) == 15'191'712);
  CHECK(llama("size: stories42m", 32000, 1024) == 41'689'600);
  CHECK(llama("size: stories110m", 32000, 1024) == 109'529'856);
  const auto gpt = [](const std::string& yaml, int vocabulary, int length) {
    return model_of(make_gpt, yaml, vocabulary, length)->parameter_count();
  };
  CHECK(gpt("size: gpt2_124m", 50257, 1024) == 124'439'808);
  CHECK(gpt("size: gpt2_124m", 50304, 1024) == 124'475'904);
  CHECK(gpt("size: nanogpt_char", 65, 256) == 10'745'088);
  CHECK(gpt("size: nanogpt_cpu", 65, 64) == 804'096);
}

TEST_CASE("hidden features follow from the width where a file does not give them") {
  const auto hidden = [](const std::string& yaml) {
    const auto model = model_of(make_llama, yaml, 256, 16);
    return dynamic_cast<const DecoderModel&>(*model).settings().hidden;
  };
  CHECK(hidden("{}") == 352);
  CHECK(hidden("{size: medium}") == 704);
  CHECK(hidden("{width: 96}") == 256);
  CHECK(hidden("{width: 64, heads: 8, multiple_of: 4}") == 172);
  CHECK(hidden("{hidden: 11}") == 11);
}

TEST_CASE("an untrained decoder knows nothing: its loss is near the logarithm of the vocabulary") {
  for (const char* const initialization : {"gpt2", "litgpt"}) {
    const auto model = model_of(
        make_llama, std::string("{layers: 2, initialization: ") + initialization + "}", 256, 32);
    std::vector<float> parameters(model->parameter_count());
    model->initialize_parameters(1, parameters);
    const auto network = model->make_network({.max_samples = 4});
    network->load(parameters, {});
    const TestTokens data({.vocabulary = 256, .length = 32}, 4, 1);
    const Evaluation evaluation = network->evaluate(data.batch());
    CHECK(evaluation.count == 128);
    CHECK(std::abs(evaluation.loss_sum / 128 - std::log(256)) < 0.3);
  }
}

TEST_CASE("starting values have the deviations of their initialization") {
  const auto model = model_of(make_llama, "{layers: 8, initialization: gpt2}", 256, 16);
  std::vector<float> parameters(model->parameter_count());
  model->initialize_parameters(1, parameters);
  std::map<std::string, double> deviations;
  for (const TensorView& tensor : model->parameter_tensors())
    deviations[tensor.name] = std::sqrt(
        squared_norm(std::span<const float>(parameters).subspan(tensor.offset, tensor.size)) /
        static_cast<double>(tensor.size));
  CHECK(deviations.at("model.embed_tokens.weight") == doctest::Approx(0.02).epsilon(0.02));
  CHECK(deviations.at("model.layers.3.self_attn.q_proj.weight") ==
        doctest::Approx(0.02).epsilon(0.02));
  CHECK(deviations.at("model.layers.3.mlp.down_proj.weight") ==
        doctest::Approx(0.005).epsilon(0.02));
  CHECK(deviations.at("model.norm.weight") == 1);
}

TEST_CASE("evaluations leave out targets that are not there, and count what is predicted") {
  for (const TestDecoder& decoder : test_decoders(9)) {
    const DecoderSettings& settings = decoder.settings;
    CAPTURE(decoder.name);
    const DecoderModel model(settings);
    const std::vector<float> parameters = test_parameters(model, 3);
    const auto network = model.make_network({.max_samples = 3});
    network->load(parameters, {});
    TestTokens data(settings, 3, 8);
    const Evaluation all = network->evaluate(data.batch());
    CHECK(all.count == 27);
    Evaluation sum;
    std::vector<std::int32_t> targets = data.targets;
    for (std::size_t only = 0; only < targets.size(); ++only) {
      std::ranges::fill(data.targets, -1);
      data.targets[only] = targets[only];
      const Evaluation one = network->evaluate(data.batch());
      CHECK(one.count == 1);
      sum.loss_sum += one.loss_sum;
      sum.correct += one.correct;
    }
    CHECK(sum.correct == all.correct);
    CHECK(sum.loss_sum == doctest::Approx(all.loss_sum).epsilon(1e-12));
  }
}

TEST_CASE("a token has no influence on what comes before it, to the bit") {
  for (const TestDecoder& decoder : test_decoders(9)) {
    const DecoderSettings& settings = decoder.settings;
    CAPTURE(decoder.name);
    const DecoderModel model(settings);
    const std::vector<float> parameters = test_parameters(model, 3);
    const auto network = model.make_network({.max_samples = 1});
    network->load(parameters, {});
    TestTokens data(settings, 1, 8);
    const std::vector<std::int32_t> targets = data.targets;
    const auto losses = [&] {
      std::vector<double> by_token;
      for (std::size_t t = 0; t < targets.size(); ++t) {
        std::ranges::fill(data.targets, -1);
        data.targets[t] = targets[t];
        by_token.push_back(network->evaluate(data.batch()).loss_sum);
      }
      return by_token;
    };
    const std::vector<double> before = losses();
    const std::size_t changed = 5;
    data.tokens[changed] = (data.tokens[changed] + 1) % settings.vocabulary;
    const std::vector<double> after = losses();
    for (std::size_t t = 0; t < before.size(); ++t) {
      CAPTURE(t);
      CHECK((before[t] == after[t]) == (t < changed));
    }
  }
}

TEST_CASE("bits of a decoder do not depend on threads") {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    if (precision == Precision::kBfloat16 && !supports_bfloat16()) continue;
    for (const int length : {5, 150}) {
      for (const TestDecoder& decoder : test_decoders(length)) {
        const DecoderSettings& settings = decoder.settings;
        CAPTURE(decoder.name);
        CAPTURE(length);
        const DecoderModel model(settings);
        const std::vector<float> parameters = test_parameters(model, 3);
        const TestTokens data(settings, 3, 8);
        std::vector<float> first;
        std::vector<double> first_norms;
        for (const int threads : {1, 2, 3}) {
          const auto network =
              model.make_network({.max_samples = 4, .threads = threads, .precision = precision});
          network->load(parameters, {});
          std::vector<float> gradient(parameters.size());
          std::vector<double> norms(3);
          network->train(data.batch(), 1, gradient, GradientUse::kReplace);
          network->sample_gradients(data.batch(), gradient, GradientUse::kAdd,
                                    {.squared_norms = norms});
          if (threads == 1) {
            first = gradient;
            first_norms = norms;
          }
          CHECK(gradient == first);
          CHECK(norms == first_norms);
        }
      }
    }
  }
}

TEST_CASE(
    "multiply-adds of a decoder count its matrices, its head and half a square of attention") {
  const DecoderModel model({.layers = 2,
                            .width = 8,
                            .heads = 2,
                            .key_value_heads = 1,
                            .head_size = 4,
                            .hidden = 12,
                            .vocabulary = 20,
                            .length = 10});
  const std::int64_t block = 8 * 16 + 8 * 8 + 8 * 24 + 12 * 8;
  CHECK(model.multiply_adds() == 10 * (2 * (block + 10 * 8) + 20 * 8));
}
