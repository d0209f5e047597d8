#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/vector_math.h"
#include "nn/test_models.h"

using namespace localbatch;

// What must not change a bit: threads, the micro-batches that came before, and what the array of
// the gradient held.

namespace {

constexpr ImageShape kTiny{3, 8, 8};

/// The direct convolutions of ResNet-20 take up to 16 of its images at a time. Groups of slices
/// show in the bits only if they are several and have several slices.
constexpr std::size_t kManySlices = 80;

struct PlacementCase {
  std::string depth;
  std::size_t images;
  Precision precision = Precision::kFloat32;
  ConvolutionRule convolution = ConvolutionRule::kWinograd;
  std::string shortcut = "projection";
  std::string norm = "batch_norm";

  ImageShape input() const { return depth == "50" ? kTiny : kSmall; }
  ImageModel model() const {
    return make_test_model("resnet", {{"depth", depth}, {"shortcut", shortcut}, {"norm", norm}},
                           input(), 10);
  }
  ExecutionOptions options(int threads) const {
    return {.max_samples = static_cast<int>(images),
            .threads = threads,
            .precision = precision,
            .convolution = convolution};
  }
};

/// ResNet-18 has 256 and 512 channels, ResNet-50 bottlenecks. Not used under the thread sanitizer.
[[maybe_unused]] std::vector<PlacementCase> placement_cases() {
  std::vector<PlacementCase> all{
      {"20", 13},
      {"20", kManySlices, Precision::kFloat32, ConvolutionRule::kDirect},
      {"20", 13, Precision::kFloat32, ConvolutionRule::kWinograd, "pad"},
      {"20", 13, Precision::kFloat32, ConvolutionRule::kWinograd, "pad", "group_norm"},
      {"18", 2},
      {"50", 2}};
  if (supports_bfloat16()) {
    all.push_back({"20", 13, Precision::kBfloat16});
    all.push_back({"20", kManySlices, Precision::kBfloat16, ConvolutionRule::kDirect});
    all.push_back({"18", 2, Precision::kBfloat16});
  } else {
    MESSAGE("bf16 is skipped: this CPU does not compute with it");
  }
  return all;
}

ImageModel wide() {
  ImageModel model(kTiny);
  ValueId x = 0;
  for (const int channels : {16, 128, 128, 256, 256}) {
    x = model.add("conv", Convolution{.src = x, .channels = channels, .kernel = 3, .padding = 1});
    x = model.add("bn", Normalization{.src = x, .relu = true});
  }
  model.add("fc", Dense{.src = model.add("pool", AveragePool{.src = x}), .features = 10});
  return model;
}

struct PlacedResult {
  double loss = 0;
  std::vector<float> gradient, statistics;
  bool operator==(const PlacedResult&) const = default;
};

PlacedResult train(ImageNetwork& network, const TestBatch& batch,
                   std::span<const float> parameters) {
  TestWorker worker(network, parameters);
  const double loss = worker.compute_gradient(network, batch);
  return {loss, worker.gradient, worker.running_moments};
}

/// Adds to a gradient of zeros what `train` writes over one of NaN.
[[maybe_unused]] PlacedResult train_from_zero(ImageNetwork& network, const TestBatch& batch,
                                              std::span<const float> parameters) {
  TestWorker worker(network, parameters);
  std::ranges::fill(worker.gradient, 0.0F);
  network.load(worker.parameters, worker.running_moments);
  const double loss = network.train(batch.all(), 1, worker.gradient, GradientUse::kAdd);
  return {loss, worker.gradient, worker.running_moments};
}

std::string name_of(const PlacementCase& c) {
  return "ResNet-" + c.depth + (c.precision == Precision::kBfloat16 ? " bf16" : " f32") + " " +
         std::string(name_of(c.convolution)) + " " + c.shortcut + " " + c.norm;
}

}  // namespace

#ifndef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
TEST_CASE("every way of execution gives the same bits with one and with several threads") {
  for (const PlacementCase& c : placement_cases()) {
    CAPTURE(name_of(c));
    const TestBatch batch(c.input(), 10, c.images, 1);
    const std::vector<float> parameters = repetitive_parameters(c.model());
    ImageNetwork alone(c.model(), c.options(1));
    const PlacedResult expected = train(alone, batch, parameters);
    CHECK(squared_norm(expected.gradient) > 0);
    CHECK(all_finite(expected.gradient));
    CHECK(train_from_zero(alone, batch, parameters) == expected);
    for (const int threads : {3, 4}) {
      if (threads == 3 && c.depth != "20") continue;
      CAPTURE(threads);
      ImageNetwork network(c.model(), c.options(threads));
      CHECK(train(network, batch, parameters) == expected);
    }
  }
}
#endif

TEST_CASE("the numbers of images of earlier micro-batches leave no trace") {
  constexpr std::size_t kMost = 16;
  std::vector<PlacementCase> all{
      {"20", kMost},
      {"20", kMost, Precision::kFloat32, ConvolutionRule::kDirect},
      {"20", kMost, Precision::kFloat32, ConvolutionRule::kWinograd, "pad", "group_norm"}};
  if (supports_bfloat16()) all.push_back({"20", kMost, Precision::kBfloat16});
  for (const PlacementCase& c : all) {
    CAPTURE(name_of(c));
    const std::vector<float> parameters = repetitive_parameters(c.model());
    std::map<std::size_t, PlacedResult> fresh;
    for (const std::size_t images : {1U, 5U, 13U, 16U}) {
      ImageNetwork network(c.model(), c.options(1));
      fresh[images] = train(network, TestBatch(kSmall, 10, images, images), parameters);
    }
    ImageNetwork network(c.model(), c.options(1));
    for (const std::size_t images : {13U, 5U, 16U, 1U, 13U}) {
      CAPTURE(images);
      CHECK(train(network, TestBatch(kSmall, 10, images, images), parameters) == fresh[images]);
    }
  }
  // Wide layers hold the points of all images together, also those of an earlier, larger batch.
  const ImageModel model = wide();
  const std::vector<float> parameters = repetitive_parameters(model);
  const TestBatch large(kTiny, 10, 9, 1), small(kTiny, 10, 3, 2);
  ImageNetwork network(model, {.max_samples = 9}), other(model, {.max_samples = 9});
  const PlacedResult expected = train(other, small, parameters);
  train(network, large, parameters);
  CHECK(train(network, small, parameters) == expected);
}
