#include "nn/gradient_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>

#include "core/random.h"
#include "core/vector_math.h"
#include "nn/reference_loss.h"
#include "nn/test_models.h"

namespace localbatch {

namespace {

/// The training loss as a function of the canonical parameters.
class TrainingLoss {
 public:
  TrainingLoss(ImageNetwork& network, int images, std::uint64_t seed)
      : network_(network),
        batch_(network.model().input(), network.model().num_classes(),
               static_cast<std::size_t>(images), seed),
        worker_(network, seed),
        canonical_(network.parameter_count()) {
    network_.to_canonical(worker_.parameters, canonical_);
    RandomStream random(seed, Purpose::kTest, 1);
    for (const TensorView& tensor : network_.parameter_tensors())
      if (tensor.dims.size() == 1) move_away_from_kinks(tensor, random);
  }

  std::span<const TensorView> tensors() const { return network_.parameter_tensors(); }
  std::span<const float> canonical() const { return canonical_; }

  double operator()(std::span<const float> canonical) {
    network_.from_canonical(canonical, worker_.parameters);
    return worker_.compute_gradient(network_, batch_);
  }
  double relative_error() {
    const double expected = reference_loss(network_.model(), canonical_, batch_);
    return ((*this)(canonical_)-expected) / expected;
  }
  std::vector<float> gradient() {
    (*this)(canonical_);
    return worker_.canonical_gradient(network_);
  }

 private:
  /// Scales near 1 and biases near +3 and -3 in turn leave most channels clearly on or clearly off,
  /// residual sums included.
  void move_away_from_kinks(const TensorView& tensor, RandomStream& random) {
    const bool bias = tensor.name.ends_with(".bias");
    for (std::size_t i = 0; i < tensor.size; ++i) {
      const float center = !bias ? 1.0F : i % 2 == 0 ? 3.0F : -3.0F;
      canonical_[tensor.offset + i] = center + 0.5F * (random.uniform() - 0.5F);
    }
  }

  ImageNetwork& network_;
  TestBatch batch_;
  TestWorker worker_;
  std::vector<float> canonical_;
};

/// d loss(canonical + t direction)/dt at 0 by central differences with steps h and 2h, extrapolated
/// to remove the error of order h^2.
double slope(TrainingLoss& loss, const TensorView& tensor, std::span<const float> direction,
             double h) {
  const auto difference = [&](double step) {
    std::array<double, 2> losses{};
    for (const int side : {0, 1}) {
      std::vector<float> parameters(loss.canonical().begin(), loss.canonical().end());
      for (std::size_t i = 0; i < tensor.size; ++i) {
        float& value = parameters[tensor.offset + i];
        value = static_cast<float>(double{value} + (2 * side - 1) * step * double{direction[i]});
      }
      losses[static_cast<std::size_t>(side)] = loss(parameters);
    }
    return (losses[1] - losses[0]) / (2 * step);
  };
  return (4 * difference(h) - difference(2 * h)) / 3;
}

}  // namespace

double loss_error(ImageNetwork& network, int images, std::uint64_t seed) {
  return TrainingLoss(network, images, seed).relative_error();
}

namespace {

std::vector<GradientErrors> errors_of_seed(ImageNetwork& network, int images, std::uint64_t seed,
                                           double loss_change) {
  TrainingLoss loss(network, images, seed);
  const std::vector<float> gradient = loss.gradient();
  RandomStream random(seed, Purpose::kTest, 2);
  std::vector<GradientErrors> errors;
  for (const TensorView& tensor : loss.tensors()) {
    const auto mine = std::span(gradient).subspan(tensor.offset, tensor.size);
    // A bias in front of batch norm has a gradient of zero.
    const double norm = std::max(0.01, std::sqrt(squared_norm(mine)));
    const double h = loss_change / norm;
    const auto error_along = [&](const std::function<float(std::size_t)>& entry) {
      std::vector<float> direction(tensor.size);
      for (std::size_t i = 0; i < tensor.size; ++i) direction[i] = entry(i);
      const double length = std::sqrt(squared_norm(direction));
      for (float& value : direction)
        value = length > 0 ? static_cast<float>(double{value} / length) : 0.0F;
      return std::abs(slope(loss, tensor, direction, h) - inner_product(direction, mine)) / norm;
    };
    errors.push_back({.tensor = tensor.name,
                      .along_gradient = error_along([&](std::size_t i) { return mine[i]; }),
                      .along_half = error_along([&](std::size_t i) {
                        return i > 0 && random.below(2) == 0 ? 0.0F : mine[i];
                      }),
                      .along_random = error_along([&](std::size_t) { return random.normal(); })});
  }
  return errors;
}

}  // namespace

std::vector<GradientErrors> gradient_errors(ImageNetwork& network, int images,
                                            const FiniteDifferences& how) {
  std::vector<std::vector<GradientErrors>> runs;
  for (int seed = 1; seed <= how.seeds; ++seed)
    runs.push_back(
        errors_of_seed(network, images, static_cast<std::uint64_t>(seed), how.loss_change));
  std::vector<GradientErrors> medians = runs[0];
  for (std::size_t tensor = 0; tensor < medians.size(); ++tensor)
    for (double GradientErrors::*const error :
         {&GradientErrors::along_gradient, &GradientErrors::along_half,
          &GradientErrors::along_random}) {
      std::vector<double> values;
      std::ranges::transform(runs, std::back_inserter(values),
                             [&](const auto& run) { return run[tensor].*error; });
      const auto middle = values.begin() + how.seeds / 2;
      std::ranges::nth_element(values, middle);
      medians[tensor].*error = *middle;
    }
  return medians;
}

}  // namespace localbatch
