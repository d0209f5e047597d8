#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nn/image_model.h"
#include "nn/test_models.h"

using namespace localbatch;

namespace {

std::vector<float> initialized(const ImageModel& model, std::uint64_t seed) {
  std::vector<float> values(model.parameter_count(), 99);
  model.initialize_parameters(seed, values);
  return values;
}

std::span<const float> tensor_of(std::span<const float> values, const TensorView& tensor) {
  return values.subspan(tensor.offset, tensor.size);
}

/// Checks mean 0 and the deviation, to five standard errors of a normal sample.
void check_normal(std::span<const float> values, double deviation) {
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0, fourth = 0;
  for (const float value : values) {
    const double scaled = double{value} / deviation;
    sum += scaled;
    squares += scaled * scaled;
    fourth += scaled * scaled * scaled * scaled;
  }
  CHECK(std::abs(sum / count) < 5 / std::sqrt(count));
  CHECK(std::abs(squares / count - 1) < 5 * std::sqrt(2 / count));
  CHECK(std::abs(fourth / count - 3) < 5 * std::sqrt(96 / count));
}

bool all_equal(std::span<const float> values, float expected) {
  return std::ranges::all_of(values, [expected](float value) { return value == expected; });
}

}  // namespace

TEST_CASE("weights have variance 2 / fan_in and the classifier's 1 / fan_in") {
  const ImageModel model = resnet20();
  const std::vector<float> values = initialized(model, 1);
  for (const TensorView& tensor : model.parameter_tensors()) {
    CAPTURE(tensor.name);
    if (tensor.dims.size() == 1) continue;
    const double fan_in = static_cast<double>(tensor.size) / tensor.dims[0];
    const double gain = tensor.name == "fc.weight" ? 1 : 2;
    check_normal(tensor_of(values, tensor), std::sqrt(gain / fan_in));
  }
}

TEST_CASE("hidden dense layers start like convolutions") {
  const ImageModel mlp = make_test_model("mlp", {{"hidden_layers", "2"}}, {1, 28, 28}, 10);
  const std::vector<float> values = initialized(mlp, 1);
  for (const TensorView& tensor : mlp.parameter_tensors()) {
    CAPTURE(tensor.name);
    if (tensor.name.ends_with(".bias")) {
      CHECK(all_equal(tensor_of(values, tensor), 0));
    } else {
      const double gain = tensor.name == "fc.weight" ? 1 : 2;
      check_normal(tensor_of(values, tensor), std::sqrt(gain / tensor.dims[1]));
    }
  }
}

TEST_CASE("batch norm starts as the plain normalization") {
  const ImageModel model = resnet20();
  const std::vector<float> values = initialized(model, 1);
  for (const TensorView& tensor : model.parameter_tensors()) {
    CAPTURE(tensor.name);
    if (tensor.dims.size() == 1)
      CHECK(all_equal(tensor_of(values, tensor), tensor.name.ends_with(".weight") ? 1.0F : 0.0F));
  }
  std::vector<float> statistics(model.running_moment_count(), 99);
  model.initialize_running_moments(statistics);
  for (const TensorView& tensor : model.running_moment_tensors()) {
    CAPTURE(tensor.name);
    CHECK(all_equal(tensor_of(statistics, tensor),
                    tensor.name.ends_with(".running_var") ? 1.0F : 0.0F));
  }
}

TEST_CASE("zero_last_scale zeroes the last scale of every block and no other") {
  for (const auto& [depth, norm] : {std::pair<std::string, std::string>{"20", "batch_norm"},
                                    {"50", "batch_norm"},
                                    {"20", "group_norm"}}) {
    const ImageModel model = make_test_model(
        "resnet", {{"depth", depth}, {"norm", norm}, {"zero_last_scale", "true"}}, {3, 32, 32}, 10);
    const std::string last = depth == "20" ? ".bn2.weight" : ".bn3.weight";
    const std::vector<float> values = initialized(model, 1);
    int zeroed = 0;
    for (const TensorView& tensor : model.parameter_tensors()) {
      CAPTURE(tensor.name);
      if (tensor.dims.size() > 1 || tensor.name.ends_with(".bias")) continue;
      const bool is_last = tensor.name.ends_with(last);
      CHECK(all_equal(tensor_of(values, tensor), is_last ? 0.0F : 1.0F));
      zeroed += is_last ? 1 : 0;
    }
    CHECK(zeroed == (depth == "20" ? 9 : 16));
  }
}

TEST_CASE("starting values are a function of the seed") {
  const ImageModel model = make_test_model("resnet", {{"depth", "20"}}, {3, 32, 32}, 10);
  CHECK(initialized(model, 7) == initialized(model, 7));
  const std::vector<float> one = initialized(model, 1), two = initialized(model, 2);
  // Tensors of equal shape do not share numbers either.
  const std::vector<TensorView> tensors = model.parameter_tensors();
  std::vector<std::span<const float>> streams;
  for (const TensorView& tensor : tensors)
    if (tensor.dims.size() > 1)
      for (const std::vector<float>* const values : {&one, &two})
        streams.push_back(tensor_of(*values, tensor));
  for (std::size_t i = 0; i < streams.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const float ratio = streams[i][0] / streams[j][0];
      CHECK(std::abs(streams[i][1] - ratio * streams[j][1]) > 1e-6F);
    }
}
