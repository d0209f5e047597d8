#include "nn/token_predictor.h"

#include <doctest/doctest.h>

#include <cmath>

#include "decoder_reference.h"
#include "nn/image_model.h"
#include "nn/token_loss.h"

using namespace localbatch;

namespace {

/// The loss of a prediction: -log of what softmax gives the token that came.
double loss_of(std::vector<float> logits, std::int32_t target) {
  return token_loss(logits.data(), static_cast<int>(logits.size()), target).loss;
}

/// The loss of one target of a window, as evaluations have it.
double evaluated_loss(Network& network, const TestTokens& data, std::size_t position) {
  std::vector<std::int32_t> targets(data.targets.size(), -1);
  targets[position] = data.targets[position];
  const Evaluation evaluation = network.evaluate(
      {.samples = 1, .inputs = std::as_bytes(std::span(data.tokens)), .targets = targets});
  CHECK(evaluation.count == 1);
  return evaluation.loss_sum;
}

}  // namespace

TEST_CASE("a prediction has the loss that an evaluation finds at its place") {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    if (precision == Precision::kBfloat16 && !supports_bfloat16()) continue;
    for (const int length : {1, 5, 150}) {
      for (const TestDecoder& decoder : test_decoders(length)) {
        const DecoderSettings& settings = decoder.settings;
        CAPTURE(decoder.name);
        CAPTURE(length);
        const DecoderModel model(settings);
        const std::vector<float> parameters = test_parameters(model, 3);
        const ExecutionOptions options{.max_samples = 2, .precision = precision};
        const auto network = model.make_network(options);
        network->load(parameters, {});
        const auto predictor = model.make_predictor(options, parameters);
        REQUIRE(predictor != nullptr);
        const TestTokens data(settings, 1, 8);
        std::vector<float> logits(static_cast<std::size_t>(settings.vocabulary));
        for (const int given : {1, 2, 5, 128, 129, 150}) {
          if (given > length) continue;
          CAPTURE(given);
          const auto last = static_cast<std::size_t>(given) - 1;
          predictor->predict(std::span(data.tokens).first(last + 1), logits);
          CHECK(std::abs(loss_of(logits, data.targets[last]) -
                         evaluated_loss(*network, data, last)) < 1e-5);
        }
      }
    }
  }
}

TEST_CASE("a prediction depends on every token that it is given, and on no earlier prediction") {
  for (const TestDecoder& decoder : test_decoders(12)) {
    const DecoderSettings& settings = decoder.settings;
    CAPTURE(decoder.name);
    const DecoderModel model(settings);
    const std::vector<float> parameters = test_parameters(model, 3);
    const auto predictor = model.make_predictor({}, parameters);
    TestTokens data(settings, 1, 8);
    const auto predicted = [&] {
      std::vector<float> logits(static_cast<std::size_t>(settings.vocabulary));
      predictor->predict(std::span(data.tokens).first(7), logits);
      return logits;
    };
    const std::vector<float> first = predicted();
    for (std::size_t changed = 0; changed < data.tokens.size(); ++changed) {
      CAPTURE(changed);
      const std::int32_t before = data.tokens[changed];
      data.tokens[changed] = (before + 1) % settings.vocabulary;
      CHECK((predicted() != first) == (changed < 7));
      data.tokens[changed] = before;
    }
    CHECK(predicted() == first);
  }
}

TEST_CASE("a model of images predicts no tokens") {
  const ImageModel model = mlp({}, {.input = ImageShape{1, 2, 2}, .num_classes = 3});
  const std::vector<float> parameters(model.parameter_count());
  CHECK(model.make_predictor({}, parameters) == nullptr);
}
