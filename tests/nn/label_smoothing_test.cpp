#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "decoder_reference.h"
#include "nn/network.h"
#include "nn/test_models.h"

using namespace localbatch;

// The loss of smoothed targets is a mean of losses of targets, and so is its gradient.

namespace {

struct Step {
  double loss = 0;
  std::vector<float> gradient;
};

Step step_of(const Model& model, double label_smoothing, std::span<const float> parameters,
             std::vector<float> moments, const Batch& batch) {
  const auto network =
      model.make_network({.max_samples = batch.samples, .label_smoothing = label_smoothing});
  network->load(parameters, moments);
  Step step{.loss = 0, .gradient = std::vector<float>(parameters.size())};
  step.loss = network->train(batch, 1, step.gradient, GradientUse::kReplace);
  return step;
}

/// How far a step with smoothed targets is from the mean of steps without, relative to its norm.
double largest_distance(const Model& model, int classes, std::span<const float> parameters,
                        const std::vector<float>& moments, Batch batch) {
  constexpr double kSmoothing = 0.3;
  const Step plain = step_of(model, 0, parameters, moments, batch);
  const Step smooth = step_of(model, kSmoothing, parameters, moments, batch);
  CHECK(smooth.loss == plain.loss);
  std::vector<double> mean(plain.gradient.begin(), plain.gradient.end());
  for (double& value : mean) value *= 1 - kSmoothing;
  std::vector<std::int32_t> targets(batch.targets.size());
  for (int c = 0; c < classes; ++c) {
    std::ranges::fill(targets, c);
    batch.targets = targets;
    const Step to_class = step_of(model, 0, parameters, moments, batch);
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i] += kSmoothing / classes * double{to_class.gradient[i]};
  }
  const std::vector<float> expected(mean.begin(), mean.end());
  CHECK(relative_distance(plain.gradient, expected) > 0.01);
  return relative_distance(smooth.gradient, expected);
}

}  // namespace

TEST_CASE("a ResNet's gradient of smoothed labels is the mean of those of all labels") {
  const ImageModel model = make_test_model("resnet", {}, kSmall, 4);
  std::vector<float> parameters(model.parameter_count()), moments(model.running_moment_count());
  model.initialize_parameters(5, parameters);
  model.initialize_running_moments(moments);
  const TestBatch data(kSmall, 4, 6, 8);
  const auto network = model.make_network({.max_samples = 6});
  std::vector<float> inner(parameters.size());
  network->from_canonical(parameters, inner);
  CHECK(largest_distance(model, 4, inner, moments, data.all()) < 1e-4);
}

TEST_CASE("a decoder's gradient of smoothed targets is the mean of those of all tokens") {
  const TestDecoder decoder = test_decoders(7).front();
  const DecoderModel model(decoder.settings);
  const TestTokens data(decoder.settings, 3, 5);
  CHECK(largest_distance(model, decoder.settings.vocabulary, test_parameters(model, 3), {},
                         data.batch()) < 1e-4);
}
