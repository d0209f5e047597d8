#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nn/image_model.h"
#include "nn/image_network.h"

namespace localbatch {

/// A model of model_table() as an experiment file would ask for it.
ImageModel make_test_model(const std::string& name,
                           const std::vector<std::pair<std::string, std::string>>& keys,
                           const ImageShape& input, int num_classes);

/// ResNet-20 as it is for CIFAR-10.
ImageModel resnet20();

/// Images of CIFAR-10 at half their width and height, a quarter of the work.
constexpr ImageShape kSmall{3, 16, 16};

/// Of x from y, relative to the norm of y.
double relative_distance(std::span<const float> x, std::span<const float> y);

/// Normal pixels and uniform targets, a function of the seed.
struct TestBatch {
  TestBatch(const ImageShape& shape, int num_classes, std::size_t count, std::uint64_t seed);

  Batch part(std::size_t first, std::size_t count) const {
    return {
        .samples = static_cast<int>(count),
        .inputs = std::as_bytes(std::span(pixels).subspan(first * image_size, count * image_size)),
        .targets = std::span(targets).subspan(first, count)};
  }
  Batch all() const { return part(0, targets.size()); }

  std::size_t image_size;
  std::vector<float> pixels;
  std::vector<std::int32_t> targets;
};

/// Parameters for large models in canonical order: scaled as for training, but made of a few normal
/// numbers over and over, because drawing millions would take longer than what is tested.
std::vector<float> repetitive_parameters(const ImageModel& model);

/// The arrays of one worker, initialized; parameters in the network's own order, the gradient NaN.
struct TestWorker {
  TestWorker(const ImageNetwork& network, std::uint64_t seed);
  /// With these parameters, given in canonical order.
  TestWorker(const ImageNetwork& network, std::span<const float> canonical);

  /// Sets the gradient to that of the mean loss of the batch, and returns the loss.
  double compute_gradient(ImageNetwork& network, const TestBatch& batch);
  /// The gradient in canonical order.
  std::vector<float> canonical_gradient(const ImageNetwork& network) const;

  std::vector<float> parameters, running_moments, gradient;
};

}  // namespace localbatch
