#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random.h"
#include "core/vector_math.h"
#include "decoder_reference.h"

using namespace localbatch;

namespace {

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The derivative of the reference's mean loss along a direction of one tensor, by a central
/// difference in double.
double slope(const DecoderModel& model, std::span<const float> parameters, const TestTokens& data,
             const TensorView& tensor, std::span<const double> direction) {
  const auto loss_at = [&](double step) {
    std::vector<double> moved(parameters.begin(), parameters.end());
    for (std::size_t i = 0; i < tensor.size; ++i) moved[tensor.offset + i] += step * direction[i];
    return mean_of(reference_losses(model, moved, data.tokens, data.targets));
  };
  const double step = 1e-5;
  return (loss_at(step) - loss_at(-step)) / (2 * step);
}

}  // namespace

TEST_CASE("loss and gradient of every kind of decoder are those of the plain formulas in double") {
  for (const TestDecoder& decoder : test_decoders(7)) {
    const DecoderSettings& settings = decoder.settings;
    CAPTURE(decoder.name);
    const DecoderModel model(settings);
    const std::vector<float> parameters = test_parameters(model, 3);
    const TestTokens data(settings, 3, 5);
    const auto network = model.make_network({.max_samples = 3});
    network->load(parameters, {});
    std::vector<float> gradient(parameters.size(), 1.0F);
    const double loss = network->train(data.batch(), 1, gradient, GradientUse::kReplace);
    const std::vector<double> exact(parameters.begin(), parameters.end());
    CHECK(loss ==
          doctest::Approx(mean_of(reference_losses(model, exact, data.tokens, data.targets)))
              .epsilon(1e-6));

    std::vector<double> errors;
    for (const TensorView& tensor : model.parameter_tensors()) {
      CAPTURE(tensor.name);
      const auto mine = std::span<const float>(gradient).subspan(tensor.offset, tensor.size);
      const double norm = std::sqrt(squared_norm(mine));
      CHECK(norm > 1e-4);
      RandomStream random(9, Purpose::kTest, tensor.offset);
      // Along the gradient, and along random directions with it.
      for (int kind = 0; kind < 3; ++kind) {
        std::vector<double> direction(tensor.size);
        double wanted = 0;
        for (std::size_t i = 0; i < tensor.size; ++i) {
          direction[i] = kind == 0 ? mine[i] / norm : random.normal();
          wanted += direction[i] * mine[i];
        }
        const double size = kind == 0 ? 1 : std::sqrt(static_cast<double>(tensor.size));
        const double found = slope(model, parameters, data, tensor, direction);
        errors.push_back(std::abs(found - wanted) / (norm * size));
        CHECK(errors.back() < 2e-5);
      }
    }
    std::ranges::sort(errors);
    MESSAGE(decoder.name << ": error of the gradient " << errors[errors.size() / 2]
                         << " in the median, " << errors.back() << " at most");
    CHECK(errors[errors.size() / 2] < 5e-6);
  }
}

TEST_CASE("a micro-batch adds its weighted gradient, and two parts are the whole") {
  const DecoderSettings settings = test_decoders(5).front().settings;
  const DecoderModel model(settings);
  const std::vector<float> parameters = test_parameters(model, 3);
  const TestTokens data(settings, 5, 5);
  const auto network = model.make_network({.max_samples = 5});
  network->load(parameters, {});
  std::vector<float> whole(parameters.size()), parts(parameters.size());
  const double loss = network->train(data.batch(), 1, whole, GradientUse::kReplace);
  const auto part = [&](std::size_t first, std::size_t count) {
    const std::size_t begin = first * 5, size = count * 5;
    return Batch{.samples = static_cast<int>(count),
                 .inputs = std::as_bytes(std::span(data.tokens).subspan(begin, size)),
                 .targets = std::span(data.targets).subspan(begin, size)};
  };
  const double first = network->train(part(0, 3), 0.6, parts, GradientUse::kReplace);
  const double second = network->train(part(3, 2), 0.4, parts, GradientUse::kAdd);
  CHECK(0.6 * first + 0.4 * second == doctest::Approx(loss).epsilon(1e-9));
  CHECK(squared_distance(whole, parts) < 1e-11 * squared_norm(whole));
}

TEST_CASE("bf16 products give nearly the loss and gradient of f32") {
  if (!supports_bfloat16()) {
    MESSAGE("bf16 is skipped: this CPU does not compute with it");
    return;
  }
  for (const TestDecoder& decoder : test_decoders(40)) {
    const DecoderSettings& settings = decoder.settings;
    CAPTURE(decoder.name);
    const DecoderModel model(settings);
    const std::vector<float> parameters = test_parameters(model, 3);
    const TestTokens data(settings, 3, 5);
    std::vector<float> gradients[2];
    double losses[2];
    for (const int bf16 : {0, 1}) {
      const auto network = model.make_network(
          {.max_samples = 3, .precision = bf16 == 1 ? Precision::kBfloat16 : Precision::kFloat32});
      network->load(parameters, {});
      gradients[bf16].resize(parameters.size());
      losses[bf16] = network->train(data.batch(), 1, gradients[bf16], GradientUse::kReplace);
    }
    CHECK(losses[1] == doctest::Approx(losses[0]).epsilon(0.01));
    CHECK(losses[1] != losses[0]);
    CHECK(squared_distance(gradients[0], gradients[1]) < 0.03 * 0.03 * squared_norm(gradients[0]));
  }
}
