#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/vector_math.h"
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

namespace fs = std::filesystem;

constexpr std::uint64_t kImageStream = 1'000'000, kLabelStream = 1'000'001;

struct Case {
  std::string name;
  std::string depth;
  std::size_t images;
  std::uint64_t seed;
  double bias;        ///< distance of batch-norm biases from zero
  double f32_median;  ///< allowed for our f32 error, over tensors
};

/// center + half_width (2u - 1), with the same bits as in the script: one product, exact or
/// followed by an exact sum.
void fill_uniform(std::span<float> values, RandomStream stream, double center, double half_width) {
  for (float& value : values)
    value = static_cast<float>(center + half_width * (2 * double{stream.uniform()} - 1));
}

std::vector<float> parameters_of(const Case& what, const ImageNetwork& network) {
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

struct Gradient {
  double loss;
  std::vector<float> values;  ///< canonical
};

Gradient our_gradient(const Case& what, ImageNetwork& network) {
  TestBatch batch(network.model().input(), 10, what.images, 1);
  fill_uniform(batch.pixels, RandomStream(what.seed, Purpose::kTest, kImageStream), 0, 1.7);
  RandomStream labels(what.seed, Purpose::kTest, kLabelStream);
  for (std::int32_t& label : batch.targets) label = static_cast<std::int32_t>(labels.below(10));
  TestWorker worker(network, 1);
  network.from_canonical(parameters_of(what, network), worker.parameters);
  const double loss = worker.compute_gradient(network, batch);
  return {loss, worker.canonical_gradient(network)};
}

struct ReferenceTensor {
  std::string name;
  std::size_t size = 0;
  double norm = 0;
  double pytorch_error = 0, autocast_error = 0;
  std::vector<std::pair<std::size_t, double>> samples;
};

struct Reference {
  double loss = 0, margin = 0;
  std::vector<ReferenceTensor> tensors;
  std::vector<double> whole;  ///< empty where only samples are stored
};

Reference read_reference(const fs::path& folder, const std::string& name) {
  Reference reference;
  std::ifstream text(folder / (name + ".txt"));
  std::string word;
  text >> word >> reference.loss >> word >> reference.margin;
  while (text >> word) {
    REQUIRE(word == "tensor");
    ReferenceTensor& tensor = reference.tensors.emplace_back();
    std::size_t samples = 0;
    text >> tensor.name >> tensor.size >> tensor.norm >> tensor.pytorch_error >>
        tensor.autocast_error >> samples;
    tensor.samples.resize(samples);
    for (auto& [index, value] : tensor.samples) text >> index >> value;
  }
  std::ifstream whole(folder / (name + ".f64"), std::ios::binary);
  if (whole) {
    reference.whole.resize(fs::file_size(folder / (name + ".f64")) / sizeof(double));
    whole.read(reinterpret_cast<char*>(reference.whole.data()),
               static_cast<std::streamsize>(reference.whole.size() * sizeof(double)));
  }
  return reference;
}

/// |ours - reference| / |reference| of one tensor; where only samples are there, estimated from
/// them.
double relative_error(const Reference& reference, const ReferenceTensor& tensor,
                      std::span<const float> ours, std::size_t offset) {
  double sum = 0;
  if (!reference.whole.empty()) {
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const double difference = double{ours[i]} - reference.whole[offset + i];
      sum += difference * difference;
    }
  } else {
    for (const auto& [index, value] : tensor.samples)
      sum += (double{ours[index]} - value) * (double{ours[index]} - value);
    sum *= static_cast<double>(tensor.size) / static_cast<double>(tensor.samples.size());
  }
  return std::sqrt(sum) / tensor.norm;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// Some biases have no effect: batch norm further up takes the mean out again. Their gradient in
/// double is below this share of the whole one, and relative errors mean nothing there.
constexpr double kVanishing = 1e-9;

/// Relative errors of all tensors whose gradient does not vanish, ours and PyTorch's.
struct Errors {
  std::vector<std::string> names;
  std::vector<double> ours, pytorch, autocast;
};

Errors errors_of(const Reference& reference, const ImageNetwork& network, const Gradient& ours) {
  const std::span<const TensorView> tensors = network.parameter_tensors();
  REQUIRE(reference.tensors.size() == tensors.size());
  double whole_norm = 0;
  for (const ReferenceTensor& tensor : reference.tensors)
    whole_norm = std::hypot(whole_norm, tensor.norm);
  Errors errors;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const ReferenceTensor& expected = reference.tensors[i];
    CAPTURE(expected.name);
    REQUIRE(expected.name == tensors[i].name);
    REQUIRE(expected.size == tensors[i].size);
    const double error = relative_error(
        reference, expected, std::span(ours.values).subspan(tensors[i].offset, tensors[i].size),
        tensors[i].offset);
    if (expected.norm < kVanishing * whole_norm) {
      CHECK(error * expected.norm < 1e-3 * whole_norm);
      continue;
    }
    errors.names.push_back(expected.name);
    errors.ours.push_back(error);
    errors.pytorch.push_back(expected.pytorch_error);
    errors.autocast.push_back(expected.autocast_error);
  }
  return errors;
}

void report(const Case& what, const Reference& reference, const std::string& how,
            const Errors& errors, const std::vector<double>& theirs) {
  MESSAGE(fmt::format(
      "{}, {}, against PyTorch in double ({}): relative error over {} tensors: median {:.2e} "
      "(PyTorch: {:.2e}), largest {:.2e} ({:.2e})",
      what.name, how, reference.whole.empty() ? "stored samples" : "whole gradient, computed here",
      errors.names.size(), median(errors.ours), median(theirs),
      *std::ranges::max_element(errors.ours), *std::ranges::max_element(theirs)));
}

/// In f32 our error is of the size of PyTorch's in every tensor: at most `factor` times as large,
/// and half of that in the median.
/// PyTorch's is taken as its median over tensors where it was luckier than that: luck differs
/// between instruction sets.
void compare_f32(const Case& what, const ImageNetwork& network, const Gradient& ours,
                 const fs::path& folder, const std::string& how, double factor) {
  const Reference reference = read_reference(folder, what.name);
  CHECK(reference.margin > 10);
  CHECK(ours.loss == doctest::Approx(reference.loss).epsilon(1e-6));
  const Errors errors = errors_of(reference, network, ours);
  const double usual = median(errors.pytorch);
  for (std::size_t i = 0; i < errors.names.size(); ++i) {
    CAPTURE(errors.names[i]);
    CHECK(errors.ours[i] <= factor * std::max(errors.pytorch[i], usual));
  }
  CHECK(median(errors.ours) <= factor / 2 * usual);
  CHECK(median(errors.ours) < what.f32_median);
  report(what, reference, how, errors, errors.pytorch);
}

/// bf16 is no worse than PyTorch's autocast, in the median over tensors: with 8 bits many values
/// are on the wrong side of a ReLU's kink, on PyTorch's side as on ours.
void compare_bfloat16(const Case& what, const ImageNetwork& network, const Gradient& ours,
                      const fs::path& folder, const std::string& how) {
  const Reference reference = read_reference(folder, what.name);
  CHECK(ours.loss == doctest::Approx(reference.loss).epsilon(2e-2));
  const Errors errors = errors_of(reference, network, ours);
  CHECK(median(errors.ours) <= 1.1 * median(errors.autocast));
  report(what, reference, how, errors, errors.autocast);
}

void gradient_by(const Case& what, Precision precision, ConvolutionRule rule,
                 const std::function<void(const ImageNetwork&, const Gradient&)>& compare) {
  const ImageModel model = make_test_model("resnet", {{"depth", what.depth}}, {3, 32, 32}, 10);
  ImageNetwork network(model, {.max_samples = static_cast<int>(what.images),
                               .threads = 1,
                               .precision = precision,
                               .convolution = rule});
  compare(network, our_gradient(what, network));
}

void check_against_pytorch(const Case& what) {
  std::vector<fs::path> folders{fs::path(LOCALBATCH_SOURCE_DIR) / "tests/oracle/reference"};
  // What CTest has computed in the build folder, where PyTorch is installed.
  const fs::path computed(LOCALBATCH_ORACLE_DIR);
  if (fs::exists(computed / (what.name + ".f64"))) folders.push_back(computed);
  for (const fs::path& folder : folders) {
    for (const ConvolutionRule rule : {ConvolutionRule::kDirect, ConvolutionRule::kWinograd}) {
      const bool winograd = rule == ConvolutionRule::kWinograd;
      const std::string how = winograd ? "with Winograd" : "direct";
      gradient_by(what, Precision::kFloat32, rule, [&](const auto& network, const auto& ours) {
        compare_f32(what, network, ours, folder, "f32 " + how, winograd ? 4 : 3);
      });
      if (supports_bfloat16())
        gradient_by(what, Precision::kBfloat16, rule, [&](const auto& network, const auto& ours) {
          compare_bfloat16(what, network, ours, folder, "bf16 " + how);
        });
    }
  }
  if (!supports_bfloat16()) MESSAGE("bf16 skipped: this CPU has no instructions for it");
}

}  // namespace

TEST_CASE("the gradient of ResNet-20 equals PyTorch's") {
  check_against_pytorch({"resnet20", "20", 16, 3, 3.0, 1e-5});
  check_against_pytorch({"resnet20_unbiased", "20", 4, 52, 0.0, 5e-6});
}

TEST_CASE("the gradient of ResNet-18 equals PyTorch's") {
  check_against_pytorch({"resnet18", "18", 8, 1, 3.0, 5e-6});
}

TEST_CASE("the gradient of ResNet-50 equals PyTorch's") {
  check_against_pytorch({"resnet50", "50", 2, 5, 2.5, 5e-6});
}
