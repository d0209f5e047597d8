#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nn/model.h"
#include "nn/network.h"

namespace localbatch {

/// A model of model_table() as an experiment file would ask for it.
Model make_test_model(const std::string& name,
                      const std::vector<std::pair<std::string, std::string>>& keys,
                      const ImageShape& input, int num_classes);

/// Normal pixels and uniform labels, a function of the seed.
struct TestBatch {
  TestBatch(const ImageShape& shape, int num_classes, std::size_t count, std::uint64_t seed);

  std::span<const float> images(std::size_t first, std::size_t count) const {
    return std::span(pixels).subspan(first * image_size, count * image_size);
  }
  std::span<const Label> some_labels(std::size_t first, std::size_t count) const {
    return std::span(labels).subspan(first, count);
  }

  std::size_t image_size;
  std::vector<float> pixels;
  std::vector<Label> labels;
};

/// Parameters for large models in canonical order: scaled as for training, but made of a few normal
/// numbers over and over, because drawing millions would take longer than what is tested.
std::vector<float> repetitive_parameters(const Model& model);

/// The arrays of one worker, initialized; parameters in the network's own order, the gradient NaN.
struct TestWorker {
  TestWorker(const Network& network, std::uint64_t seed);
  /// With these parameters, given in canonical order.
  TestWorker(const Network& network, std::span<const float> canonical);

  /// Sets the gradient to that of the mean loss of the batch, and returns the loss.
  double compute_gradient(Network& network, const TestBatch& batch);
  /// The gradient in canonical order.
  std::vector<float> canonical_gradient(const Network& network) const;

  std::vector<float> parameters, statistics, gradient;
};

}  // namespace localbatch
