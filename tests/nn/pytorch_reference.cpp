#include "nn/pytorch_reference.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace localbatch {

namespace {

namespace fs = std::filesystem;

Reference read_reference(const fs::path& folder, const std::string& network) {
  Reference reference{.network = network, .margin = {}, .tensors = {}, .whole = {}};
  std::ifstream text(folder / (network + ".txt"));
  std::string word;
  while (text >> word) {
    if (word == "loss") {
      text >> reference.loss;
    } else if (word == "margin") {
      text >> reference.margin.emplace();
    } else {
      REQUIRE(word == "tensor");
      ReferenceTensor& tensor = reference.tensors.emplace_back();
      std::size_t samples = 0;
      text >> tensor.name >> tensor.size >> tensor.norm >> tensor.pytorch_error >>
          tensor.autocast_error >> samples;
      tensor.samples.resize(samples);
      for (auto& [index, value] : tensor.samples) text >> index >> value;
    }
  }
  std::ifstream whole(folder / (network + ".f64"), std::ios::binary);
  if (whole) {
    reference.whole.resize(fs::file_size(folder / (network + ".f64")) / sizeof(double));
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

Errors errors_of(const Reference& reference, std::span<const TensorView> tensors,
                 std::span<const float> gradient) {
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
    const double error =
        relative_error(reference, expected, gradient.subspan(tensors[i].offset, tensors[i].size),
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

void report(const Reference& reference, const std::string& how, const Errors& errors,
            const std::vector<double>& theirs) {
  MESSAGE(fmt::format(
      "{}, {}, against PyTorch in double ({}): relative error over {} tensors: median {:.2e} "
      "(PyTorch: {:.2e}), largest {:.2e} ({:.2e})",
      reference.network, how,
      reference.whole.empty() ? "stored samples" : "whole gradient, computed here",
      errors.names.size(), median(errors.ours), median(theirs),
      *std::ranges::max_element(errors.ours), *std::ranges::max_element(theirs)));
}

}  // namespace

std::vector<Reference> read_references(const std::string& network) {
  std::vector<Reference> references{
      read_reference(fs::path(LOCALBATCH_SOURCE_DIR) / "tests/oracle/reference", network)};
  const fs::path computed(LOCALBATCH_ORACLE_DIR);
  if (fs::exists(computed / (network + ".f64")))
    references.push_back(read_reference(computed, network));
  return references;
}

void check_float32(const Reference& reference, std::span<const TensorView> tensors,
                   const LossGradient& ours, const std::string& how, const AllowedErrors& allowed) {
  CHECK(ours.loss == doctest::Approx(reference.loss).epsilon(1e-6));
  const Errors errors = errors_of(reference, tensors, ours.values);
  const double usual = median(errors.pytorch);
  for (std::size_t i = 0; i < errors.names.size(); ++i) {
    CAPTURE(errors.names[i]);
    CHECK(errors.ours[i] <= allowed.factor * std::max(errors.pytorch[i], usual));
  }
  CHECK(median(errors.ours) <= allowed.factor / 2 * usual);
  CHECK(median(errors.ours) < allowed.median);
  report(reference, how, errors, errors.pytorch);
}

void check_bfloat16(const Reference& reference, std::span<const TensorView> tensors,
                    const LossGradient& ours, const std::string& how) {
  CHECK(ours.loss == doctest::Approx(reference.loss).epsilon(2e-2));
  const Errors errors = errors_of(reference, tensors, ours.values);
  CHECK(median(errors.ours) <= 1.1 * median(errors.autocast));
  report(reference, how, errors, errors.autocast);
}

void fill_uniform(std::span<float> values, RandomStream stream, double center, double half_width) {
  for (float& value : values)
    value = static_cast<float>(center + half_width * (2 * double{stream.uniform()} - 1));
}

}  // namespace localbatch
