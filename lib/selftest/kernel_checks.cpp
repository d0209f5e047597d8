#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/networks.h"
#include "core/aligned_buffer.h"
#include "core/random.h"
#include "nn/image_model.h"
#include "nn/network.h"
#include "selftest/checks.h"

namespace localbatch {

namespace {

constexpr std::uint64_t kSeed = 1;

/// Images of noise in random classes, and a model's first parameters in canonical order.
struct NoiseBatch {
  const ImageModel& model;
  int images;
  std::vector<float> parameters;
  AlignedBuffer<float> pixels;
  std::vector<std::int32_t> classes;

  NoiseBatch(const ImageModel& of, int count)
      : model(of),
        images(count),
        parameters(of.parameter_count()),
        pixels(static_cast<std::size_t>(count) * of.input().size()),
        classes(static_cast<std::size_t>(count)) {
    model.initialize_parameters(kSeed, parameters);
    RandomStream random(kSeed, Purpose::kTest);
    for (float& pixel : pixels.span()) pixel = random.normal();
    for (std::int32_t& one : classes)
      one =
          static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(model.num_classes())));
  }
};

/// A mean loss and its gradient in canonical order.
struct LossGradient {
  double loss = 0;
  std::vector<double> gradient;
};

LossGradient by_network(const NoiseBatch& batch, ExecutionOptions execution) {
  execution.max_samples = batch.images;
  const auto network = batch.model.make_network(execution);
  const std::size_t size = batch.parameters.size();
  AlignedBuffer<float> parameters(size), gradient(size),
      moments(batch.model.running_moment_count());
  network->from_canonical(batch.parameters, parameters.span());
  batch.model.initialize_running_moments(moments.span());
  network->load(parameters.span(), moments.span());
  LossGradient result;
  result.loss = network->train({.samples = batch.images,
                                .inputs = std::as_bytes(batch.pixels.span()),
                                .targets = batch.classes},
                               1, gradient.span(), GradientUse::kReplace);
  std::vector<float> canonical(size);
  network->to_canonical(gradient.span(), canonical);
  result.gradient.assign(canonical.begin(), canonical.end());
  return result;
}

/// Of the loss relative to itself, of the gradient's difference relative to its norm. Where a sum
/// is nearly 0, a ReLU may be open in one of them and shut in the other, which moves the gradient
/// by a hundredth and the loss not at all: so the loss is what finds small mistakes.
struct Tolerance {
  double loss, gradient;
};

/// What differs by more than rounding; empty: nothing.
std::string difference(const LossGradient& found, const LossGradient& expected,
                       const Tolerance& allowed) {
  if (!(std::abs(found.loss - expected.loss) <= allowed.loss * std::abs(expected.loss)))
    return fmt::format("the loss is {:.8g}, expected {:.8g}", found.loss, expected.loss);
  double squares = 0, squared_norm = 0;
  for (std::size_t i = 0; i < expected.gradient.size(); ++i) {
    squares += std::pow(found.gradient[i] - expected.gradient[i], 2);
    squared_norm += std::pow(expected.gradient[i], 2);
  }
  const double relative = std::sqrt(squares / squared_norm);
  if (relative <= allowed.gradient) return {};
  return fmt::format("the gradient differs by {:.1e} of its norm, allowed is {:.1e}", relative,
                     allowed.gradient);
}

constexpr int kChannels = 16, kSide = 10, kFilters = 32, kClasses = 10;

/// A 3x3 convolution, ReLU, mean over pixels, classifier.
ImageModel small_model() {
  ImageModel model(ImageShape{kChannels, kSide, kSide});
  const ValueId sums =
      model.add("conv", Convolution{.src = 0, .channels = kFilters, .kernel = 3, .padding = 1});
  const ValueId positive = model.add("relu", Relu{.src = sums});
  const ValueId means = model.add("pool", AveragePool{.src = positive});
  model.add("fc", Dense{.src = means, .features = kClasses});
  return model;
}

/// small_model() for one image, as its formulas are written down.
class PlainNetwork {
 public:
  explicit PlainNetwork(const std::vector<float>& parameters)
      : weights_(parameters.data()),
        classifier_(weights_ + kFilters * kChannels * 9),
        bias_(classifier_ + kClasses * kFilters),
        gradient_(parameters.size()) {}

  /// Adds factor * (gradient of the loss); returns the loss.
  double add(const float* image, int target, double factor) {
    std::vector<double> outputs(kFilters * kSide * kSide), means(kFilters), logits(kClasses);
    for (int f = 0; f < kFilters; ++f)
      for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x) {
          double& sum = outputs[(f * kSide + y) * kSide + x];
          for_each_tap(f, y, x, [&](int weight, int pixel) {
            sum += static_cast<double>(weights_[weight]) * image[pixel];
          });
          means[f] += std::max(sum, 0.0) / (kSide * kSide);
        }
    double normalizer = 0;
    for (int c = 0; c < kClasses; ++c) {
      logits[c] = bias_[c];
      for (int f = 0; f < kFilters; ++f) logits[c] += classifier_[c * kFilters + f] * means[f];
      normalizer += std::exp(logits[c]);
    }
    std::vector<double> by_mean(kFilters);
    for (int c = 0; c < kClasses; ++c) {
      const double error = factor * (std::exp(logits[c]) / normalizer - (c == target ? 1 : 0));
      gradient_[(bias_ - weights_) + c] += error;
      for (int f = 0; f < kFilters; ++f) {
        gradient_[(classifier_ - weights_) + c * kFilters + f] += error * means[f];
        by_mean[f] += error * classifier_[c * kFilters + f];
      }
    }
    for (int f = 0; f < kFilters; ++f)
      for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x)
          if (outputs[(f * kSide + y) * kSide + x] > 0)
            for_each_tap(f, y, x, [&](int weight, int pixel) {
              gradient_[weight] += by_mean[f] / (kSide * kSide) * image[pixel];
            });
    return std::log(normalizer) - logits[target];
  }

  std::vector<double> take_gradient() { return std::move(gradient_); }

 private:
  /// The weights and pixels that an output is a sum over.
  template <class Visit>
  static void for_each_tap(int f, int y, int x, const Visit& visit) {
    for (int c = 0; c < kChannels; ++c)
      for (int i = 0; i < 9; ++i) {
        const int row = y + i / 3 - 1, column = x + i % 3 - 1;
        if (row < 0 || row >= kSide || column < 0 || column >= kSide) continue;
        visit((f * kChannels + c) * 9 + i, (c * kSide + row) * kSide + column);
      }
  }

  const float* weights_;
  const float* classifier_;
  const float* bias_;
  std::vector<double> gradient_;
};

LossGradient by_loops(const NoiseBatch& batch) {
  PlainNetwork network(batch.parameters);
  LossGradient result;
  const double factor = 1.0 / batch.images;
  for (int i = 0; i < batch.images; ++i)
    result.loss += factor * network.add(batch.pixels.data() + i * batch.model.input().size(),
                                        batch.classes[i], factor);
  result.gradient = network.take_gradient();
  return result;
}

/// The small network as it is executed against plain loops.
std::string compare_with_loops(const ExecutionOptions& execution, const Tolerance& tolerance) {
  const ImageModel model = small_model();
  const NoiseBatch batch(model, 8);
  return difference(by_network(batch, execution), by_loops(batch), tolerance);
}

constexpr Tolerance kFloat32{.loss = 1e-5, .gradient = 3e-2};
constexpr Tolerance kBfloat16{.loss = 1e-2, .gradient = 0.2};

}  // namespace

std::string check_direct_convolution() {
  return compare_with_loops({.convolution = ConvolutionRule::kDirect}, kFloat32);
}

std::string check_winograd_convolution() {
  return compare_with_loops({.convolution = ConvolutionRule::kWinograd}, kFloat32);
}

std::string check_bfloat16() {
  return compare_with_loops({.precision = Precision::kBfloat16}, kBfloat16);
}

std::string check_resnet() {
  const ImageModel model = make_model(find_bench_network("resnet20", "selftest"));
  const NoiseBatch batch(model, 16);
  constexpr Tolerance kAllLayers{.loss = 1e-4, .gradient = 3e-2};
  return difference(by_network(batch, {.convolution = ConvolutionRule::kWinograd}),
                    by_network(batch, {.convolution = ConvolutionRule::kDirect}), kAllLayers);
}

}  // namespace localbatch
