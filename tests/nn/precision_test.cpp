#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "core/vector_math.h"
#include "nn/test_models.h"

using namespace localbatch;

// How far the ways of execution lie from each other.

namespace {

struct Comparison {
  double loss = 0;
  double distance = 0;  ///< of the whole gradients, relative
  /// The same by tensor, without those whose gradient vanishes and is nothing but rounding: the
  /// shifts of normalizations that only 1x1 convolutions with a normalization behind them read.
  std::vector<double> errors;
  double largest() const { return *std::ranges::max_element(errors); }
  double median() const {
    std::vector<double> sorted = errors;
    std::ranges::sort(sorted);
    return sorted[sorted.size() / 2];
  }
};

/// The gradient of the second way against that of the first, in canonical order: different ways may
/// keep weights in different layouts.
Comparison compare(const ImageModel& model, std::size_t images, ExecutionOptions first,
                   ExecutionOptions second, const std::vector<float>& parameters) {
  const TestBatch batch(model.input(), model.num_classes(), images, 1);
  first.max_samples = second.max_samples = static_cast<int>(images);
  ImageNetwork expected_network(model, first), network(model, second);
  TestWorker expected_worker(expected_network, parameters), worker(network, parameters);
  const double expected_loss = expected_worker.compute_gradient(expected_network, batch);
  Comparison result;
  result.loss = worker.compute_gradient(network, batch) / expected_loss - 1;
  const std::vector<float> expected = expected_worker.canonical_gradient(expected_network);
  const std::vector<float> found = worker.canonical_gradient(network);
  result.distance = relative_distance(found, expected);
  for (const TensorView& tensor : network.parameter_tensors()) {
    const auto mine = std::span(expected).subspan(tensor.offset, tensor.size);
    constexpr double kVanishing = 1e-4;  // of the whole gradient; roundings are 1e-8
    if (squared_norm(mine) < kVanishing * kVanishing * squared_norm(expected)) continue;
    result.errors.push_back(
        relative_distance(std::span(found).subspan(tensor.offset, tensor.size), mine));
  }
  return result;
}

Comparison compare(const ImageModel& model, std::size_t images, const ExecutionOptions& first,
                   const ExecutionOptions& second) {
  return compare(model, images, first, second, repetitive_parameters(model));
}

const ExecutionOptions kDirect{.convolution = ConvolutionRule::kDirect};
const ExecutionOptions kWinograd{.convolution = ConvolutionRule::kWinograd};

/// The same with shifts of normalizations so large that rounding changes no ReLU's mind: of every
/// four channels three are always open and one is always closed.
std::vector<float> with_frozen_masks(const ImageModel& model, std::vector<float> parameters) {
  constexpr float kOpen = 5, kClosed = -150;
  for (const TensorView& tensor : model.parameter_tensors())
    if (std::holds_alternative<Normalization>(model.layers()[tensor.layer].kind) &&
        tensor.name.ends_with(".bias"))
      for (std::size_t i = 0; i < tensor.size; ++i)
        parameters[tensor.offset + i] = i % 4 == 0 ? kClosed : kOpen;
  return parameters;
}

ImageModel small_resnet(const std::string& depth) {
  return make_test_model("resnet", {{"depth", depth}}, kSmall, 10);
}

/// Convolutions of these widths, without a kink for rounding to fall over.
ImageModel smooth(const ImageShape& input, const std::vector<int>& widths) {
  ImageModel model(input);
  ValueId x = 0;
  for (const int channels : widths) {
    x = model.add("conv", Convolution{.src = x, .channels = channels, .kernel = 3, .padding = 1});
    x = model.add("bn", Normalization{.src = x});
  }
  model.add("fc", Dense{.src = model.add("pool", AveragePool{.src = x}), .features = 10});
  return model;
}

/// Every width that is cut differently.
ImageModel all_widths() { return smooth({3, 8, 8}, {16, 64, 128, 128, 256, 32}); }

}  // namespace

TEST_CASE("Winograd's algorithm is the same convolution") {
  // The points of so many large images are computed in two parts.
  const ImageModel large = smooth(kSmall, {16, 128, 128});
  for (const Comparison& straight :
       {compare(all_widths(), 5, kDirect, kWinograd), compare(large, 20, kDirect, kWinograd)}) {
    CHECK(straight.distance > 0);
    CHECK(straight.distance < 1e-5);
    CHECK(std::abs(straight.loss) < 1e-5);
  }
  for (const std::string depth : {"20", "18"}) {
    CAPTURE(depth);
    const Comparison result = compare(small_resnet(depth), 4, kDirect, kWinograd);
    CHECK(result.median() < 1e-4);
    CHECK(std::abs(result.loss) < 1e-5);
  }
}

TEST_CASE(
    "without ReLUs that change their mind, direct and Winograd gradients differ by rounding") {
  for (const std::string depth : {"18", "50"}) {
    CAPTURE(depth);
    const ImageModel model = small_resnet(depth);
    const std::vector<float> parameters = repetitive_parameters(model);
    const Comparison usual = compare(model, 4, kDirect, kWinograd, parameters);
    const Comparison frozen =
        compare(model, 4, kDirect, kWinograd, with_frozen_masks(model, parameters));
    MESSAGE("ResNet-" << depth << ", relative difference of a tensor, median and largest: usual "
                      << usual.median() << " and " << usual.largest() << ", frozen masks "
                      << frozen.median() << " and " << frozen.largest());
    CHECK(frozen.distance > 0);
    CHECK(frozen.largest() < 2e-4);
    // In 50 layers on so few pixels some ReLU always changes its mind.
    if (depth == "50") CHECK(10 * frozen.largest() < usual.largest());
  }
}

TEST_CASE("bf16 gradients lie near those of f32") {
  if (!supports_bfloat16()) {
    MESSAGE("skipped: this CPU does not compute with bf16");
    return;
  }
  for (const ConvolutionRule rule : {ConvolutionRule::kDirect, ConvolutionRule::kWinograd}) {
    CAPTURE(name_of(rule));
    const ExecutionOptions f32{.convolution = rule},
        bf16{.precision = Precision::kBfloat16, .convolution = rule};
    // 8 bits of precision: a rounding is 0.004 at most.
    const Comparison straight = compare(all_widths(), 5, f32, bf16);
    CHECK(straight.distance > 1e-3);
    CHECK(straight.distance < 0.02);
    CHECK(std::abs(straight.loss) < 2e-3);
    // The whole network's ReLUs open and close elsewhere (oracle_test.cpp compares with PyTorch).
    const Comparison result = compare(small_resnet("20"), 13, f32, bf16);
    CHECK(result.median() < 0.4);
    CHECK(result.distance < 0.4);
    CHECK(std::abs(result.loss) < 0.01);
  }
}
