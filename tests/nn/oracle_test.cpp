#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"
#include "nn/pytorch_reference.h"
#include "nn/test_models.h"

using namespace localbatch;

// Whole gradients of residual networks against PyTorch in double
// (tests/oracle/pytorch_gradients.py).
//
// A value that two programs round to different sides of a ReLU's kink changes gradients by 1e-3 and
// more, on PyTorch's side as on ours, and in a freshly initialized network with millions of values
// some are always that close. So biases of batch norm are near +b and -b in turn, which leaves few
// values near zero, and the seeds are those where none is: the smallest input of any ReLU is
// `margin` times the f32 error of its layer. There, rounding alone separates f32 from double, and
// we ask that ours is of PyTorch's size in every tensor. Large biases make everybody's error
// larger; ResNet-20 on few images has a seed that needs none.

namespace {

constexpr std::uint64_t kImageStream = 1'000'000, kLabelStream = 1'000'001;

struct ImageCase {
  std::string name;
  std::string depth;
  std::size_t images;
  std::uint64_t seed;
  double bias;        ///< distance of batch-norm biases from zero
  double f32_median;  ///< allowed for our f32 error, over tensors
};

std::vector<float> parameters_of(const ImageCase& what, const ImageNetwork& network) {
  std::vector<float> canonical(network.parameter_count());
  std::size_t index = 0;
  for (const TensorView& tensor : network.parameter_tensors()) {
    const std::span<float> values = std::span(canonical).subspan(tensor.offset, tensor.size);
    const RandomStream stream(what.seed, Purpose::kTest, index++);
    if (tensor.dims.size() > 1) {
      const double half_width =
          std::sqrt(6.0 / (static_cast<double>(tensor.size) / tensor.dims[0]));
      fill_uniform(values, stream, 0, tensor.name == "fc.weight" ? half_width / 8 : half_width);
    } else if (tensor.name == "fc.bias") {
      fill_uniform(values, stream, 0, 0.125);
    } else if (tensor.name.ends_with(".weight")) {
      fill_uniform(values, stream, 1, 0.25);
    } else {
      fill_uniform(values, stream, 0, 0.5);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((i % 2 == 0 ? what.bias : -what.bias) + double{values[i]});
    }
  }
  return canonical;
}

LossGradient our_gradient(const ImageCase& what, ImageNetwork& network) {
  TestBatch batch(network.model().input(), 10, what.images, 1);
  fill_uniform(batch.pixels, RandomStream(what.seed, Purpose::kTest, kImageStream), 0, 1.7);
  RandomStream labels(what.seed, Purpose::kTest, kLabelStream);
  for (std::int32_t& label : batch.targets) label = static_cast<std::int32_t>(labels.below(10));
  TestWorker worker(network, 1);
  network.from_canonical(parameters_of(what, network), worker.parameters);
  const double loss = worker.compute_gradient(network, batch);
  return {loss, worker.canonical_gradient(network)};
}

void check_with(const ImageCase& what, const Reference& reference, Precision precision,
                ConvolutionRule rule) {
  const bool winograd = rule == ConvolutionRule::kWinograd;
  const std::string how = winograd ? " with Winograd" : " direct";
  const ImageModel model = make_test_model("resnet", {{"depth", what.depth}}, {3, 32, 32}, 10);
  ImageNetwork network(model, {.max_samples = static_cast<int>(what.images),
                               .threads = 1,
                               .precision = precision,
                               .convolution = rule});
  const LossGradient ours = our_gradient(what, network);
  const auto tensors = network.parameter_tensors();
  // With 8 bits many values are on the wrong side of a ReLU's kink, on PyTorch's side as on ours.
  if (precision == Precision::kBfloat16) {
    check_bfloat16(reference, tensors, ours, "bf16" + how);
  } else {
    CHECK(reference.margin > 10);
    check_float32(reference, tensors, ours, "f32" + how,
                  {.factor = winograd ? 4.0 : 3.0, .median = what.f32_median});
  }
}

void check_image_against_pytorch(const ImageCase& what) {
  for (const Reference& reference : read_references(what.name)) {
    for (const ConvolutionRule rule : {ConvolutionRule::kDirect, ConvolutionRule::kWinograd}) {
      check_with(what, reference, Precision::kFloat32, rule);
      if (supports_bfloat16()) check_with(what, reference, Precision::kBfloat16, rule);
    }
  }
  if (!supports_bfloat16()) MESSAGE("bf16 skipped: this CPU has no instructions for it");
}

}  // namespace

TEST_CASE("the gradient of ResNet-20 equals PyTorch's") {
  check_image_against_pytorch({"resnet20", "20", 16, 3, 3.0, 1e-5});
  check_image_against_pytorch({"resnet20_unbiased", "20", 4, 52, 0.0, 5e-6});
}

TEST_CASE("the gradient of ResNet-18 equals PyTorch's") {
  check_image_against_pytorch({"resnet18", "18", 8, 1, 3.0, 5e-6});
}

TEST_CASE("the gradient of ResNet-50 equals PyTorch's") {
  check_image_against_pytorch({"resnet50", "50", 2, 5, 2.5, 5e-6});
}
