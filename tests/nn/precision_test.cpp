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

constexpr ImageShape kSmall{3, 16, 16};

struct Result {
  double loss = 0;
  double distance = 0;         ///< of the whole gradients, relative
  std::vector<double> errors;  ///< the same by tensor
  double median() const {
    std::vector<double> sorted = errors;
    std::ranges::sort(sorted);
    return sorted[sorted.size() / 2];
  }
};

/// The gradient of the second way against that of the first, in canonical order: different ways may
/// keep weights in different layouts.
Result compare(const Model& model, std::size_t images, ExecutionOptions first,
               ExecutionOptions second) {
  const TestBatch batch(model.input(), model.num_classes(), images, 1);
  first.max_images = second.max_images = static_cast<int>(images);
  Network expected_network(model, first), network(model, second);
  const std::vector<float> parameters = repetitive_parameters(model);
  TestWorker expected_worker(expected_network, parameters), worker(network, parameters);
  const double expected_loss = expected_worker.compute_gradient(expected_network, batch);
  Result result;
  result.loss = worker.compute_gradient(network, batch) / expected_loss - 1;
  const std::vector<float> expected = expected_worker.canonical_gradient(expected_network);
  const std::vector<float> found = worker.canonical_gradient(network);
  const auto relative_distance = [](std::span<const float> x, std::span<const float> y) {
    return std::sqrt(squared_distance(x, y) / squared_norm(y));
  };
  result.distance = relative_distance(found, expected);
  for (const TensorView& tensor : network.parameter_tensors()) {
    result.errors.push_back(
        relative_distance(std::span(found).subspan(tensor.offset, tensor.size),
                          std::span(expected).subspan(tensor.offset, tensor.size)));
  }
  return result;
}

Model resnet(const std::string& depth) {
  return make_test_model("resnet", {{"depth", depth}}, kSmall, 10);
}

/// Convolutions of these widths, without a kink for rounding to fall over.
Model smooth(const ImageShape& input, const std::vector<int>& widths) {
  Model model(input);
  ValueId x = 0;
  for (const int channels : widths) {
    x = model.add("conv", Convolution{.src = x, .channels = channels, .kernel = 3, .padding = 1});
    x = model.add("bn", Normalization{.src = x});
  }
  model.add("fc", Dense{.src = model.add("pool", AveragePool{.src = x}), .features = 10});
  return model;
}

/// Every width that is cut differently.
Model all_widths() { return smooth({3, 8, 8}, {16, 64, 128, 128, 256, 32}); }

}  // namespace

TEST_CASE("Winograd's algorithm is the same convolution") {
  // The points of so many large images are computed in two parts.
  const Model large = smooth(kSmall, {16, 128, 128});
  for (const Result& straight : {compare(all_widths(), 5, {.winograd = false}, {.winograd = true}),
                                 compare(large, 20, {.winograd = false}, {.winograd = true})}) {
    CHECK(straight.distance > 0);
    CHECK(straight.distance < 1e-5);
    CHECK(std::abs(straight.loss) < 1e-5);
  }
  for (const std::string depth : {"20", "18"}) {
    CAPTURE(depth);
    const Result result = compare(resnet(depth), 4, {.winograd = false}, {.winograd = true});
    CHECK(result.median() < 1e-4);
    CHECK(std::abs(result.loss) < 1e-5);
  }
}

TEST_CASE("bf16 gradients lie near those of f32") {
  if (!supports_bfloat16()) {
    MESSAGE("skipped: this CPU does not compute with bf16");
    return;
  }
  for (const bool winograd : {false, true}) {
    CAPTURE(winograd);
    const ExecutionOptions f32{.winograd = winograd},
        bf16{.precision = Precision::kBfloat16, .winograd = winograd};
    // 8 bits of precision: a rounding is 0.004 at most.
    const Result straight = compare(all_widths(), 5, f32, bf16);
    CHECK(straight.distance > 1e-3);
    CHECK(straight.distance < 0.02);
    CHECK(std::abs(straight.loss) < 2e-3);
    // The whole network's ReLUs open and close elsewhere (oracle_test.cpp compares with PyTorch).
    const Result result = compare(resnet("20"), 13, f32, bf16);
    CHECK(result.median() < 0.4);
    CHECK(result.distance < 0.4);
    CHECK(std::abs(result.loss) < 0.01);
  }
}
