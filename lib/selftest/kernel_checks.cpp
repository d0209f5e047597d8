#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

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

constexpr int kSide = 10, kPixels = kSide * kSide, kClasses = 10;
constexpr int kColors = 3, kHidden = 16, kFilters = 32;  // the second convolution fits Winograd

/// Two 3x3 convolutions, each with a ReLU, mean over pixels, classifier.
ImageModel small_model() {
  ImageModel model(ImageShape{kColors, kSide, kSide});
  ValueId value = 0;
  for (const int channels : {kHidden, kFilters}) {
    const std::string number = fmt::format("{}", channels);
    value = model.add("conv" + number,
                      Convolution{.src = value, .channels = channels, .kernel = 3, .padding = 1});
    value = model.add("relu" + number, Relu{.src = value});
  }
  value = model.add("pool", AveragePool{.src = value});
  model.add("fc", Dense{.src = value, .features = kClasses});
  return model;
}

using Values = std::vector<double>;

Values positive(Values values) {
  for (double& value : values) value = std::max(value, 0.0);
  return values;
}

/// A 3x3 convolution as its formula is written down.
struct PlainConvolution {
  int channels, filters;
  const float* weights;

  /// Calls visit(place of a sum, of a weight, of a pixel) for all products.
  template <class Visit>
  void for_each_product(const Visit& visit) const {
    for (int f = 0; f < filters; ++f)
      for (int c = 0; c < channels; ++c)
        for (int tap = 0; tap < 9; ++tap)
          for (int to = 0; to < kPixels; ++to) {
            const int row = to / kSide + tap / 3 - 1, column = to % kSide + tap % 3 - 1;
            if (row < 0 || row >= kSide || column < 0 || column >= kSide) continue;
            visit(f * kPixels + to, (f * channels + c) * 9 + tap,
                  c * kPixels + row * kSide + column);
          }
  }

  Values sums(const Values& pixels) const {
    Values sums(static_cast<std::size_t>(filters) * kPixels);
    for_each_product(
        [&](int sum, int weight, int pixel) { sums[sum] += weights[weight] * pixels[pixel]; });
    return sums;
  }

  /// Adds to the gradient by the weights; returns that by the pixels.
  Values backward(const Values& pixels, const Values& by_sums, double* gradient) const {
    Values by_pixels(pixels.size());
    for_each_product([&](int sum, int weight, int pixel) {
      gradient[weight] += by_sums[sum] * pixels[pixel];
      by_pixels[pixel] += by_sums[sum] * weights[weight];
    });
    return by_pixels;
  }
};

/// The classifier and the loss of one image: returns the loss, adds factor * (gradient), and puts
/// the gradient by the means into `by_means`.
double classify(const float* weights, const Values& means, int target, double factor,
                double* gradient, Values& by_means) {
  const float* const bias = weights + kClasses * kFilters;
  Values logits(bias, bias + kClasses);
  double normalizer = 0;
  for (int c = 0; c < kClasses; ++c) {
    for (int f = 0; f < kFilters; ++f) logits[c] += weights[c * kFilters + f] * means[f];
    normalizer += std::exp(logits[c]);
  }
  for (int c = 0; c < kClasses; ++c) {
    const double error = factor * (std::exp(logits[c]) / normalizer - (c == target ? 1 : 0));
    gradient[kClasses * kFilters + c] += error;
    for (int f = 0; f < kFilters; ++f) {
      gradient[c * kFilters + f] += error * means[f];
      by_means[f] += error * weights[c * kFilters + f];
    }
  }
  return std::log(normalizer) - logits[target];
}

/// small_model() for one image: returns the loss, adds factor * (gradient) to `gradient`.
double add_image(const float* parameters, const float* image, int target, double factor,
                 double* gradient) {
  constexpr int kFirst = kHidden * kColors * 9, kSecond = kFilters * kHidden * 9;
  const PlainConvolution first{kColors, kHidden, parameters};
  const PlainConvolution second{kHidden, kFilters, parameters + kFirst};
  const Values pixels(image, image + kColors * kPixels);
  const Values first_sums = first.sums(pixels), hidden = positive(first_sums);
  const Values second_sums = second.sums(hidden), outputs = positive(second_sums);
  Values means(kFilters), by_means(kFilters), by_second(second_sums.size());
  for (int i = 0; i < kFilters * kPixels; ++i) means[i / kPixels] += outputs[i] / kPixels;
  const double loss = classify(parameters + kFirst + kSecond, means, target, factor,
                               gradient + kFirst + kSecond, by_means);
  for (int i = 0; i < kFilters * kPixels; ++i)
    if (second_sums[i] > 0) by_second[i] = by_means[i / kPixels] / kPixels;
  Values by_first = second.backward(hidden, by_second, gradient + kFirst);
  for (std::size_t i = 0; i < by_first.size(); ++i)
    if (first_sums[i] <= 0) by_first[i] = 0;
  first.backward(pixels, by_first, gradient);
  return loss;
}

LossGradient by_loops(const NoiseBatch& batch) {
  LossGradient result{.loss = 0, .gradient = Values(batch.parameters.size())};
  const double factor = 1.0 / batch.images;
  for (int i = 0; i < batch.images; ++i)
    result.loss += factor * add_image(batch.parameters.data(),
                                      batch.pixels.data() + i * batch.model.input().size(),
                                      batch.classes[i], factor, result.gradient.data());
  return result;
}

/// The small network as it is executed against plain loops.
std::string compare_with_loops(const ExecutionOptions& execution, const Tolerance& tolerance) {
  const ImageModel model = small_model();
  const NoiseBatch batch(model, 8);
  return difference(by_network(batch, execution), by_loops(batch), tolerance);
}

constexpr Tolerance kFloat32{.loss = 1e-5, .gradient = 3e-2};
constexpr Tolerance kBfloat16{.loss = 1e-3, .gradient = 0.2};

}  // namespace

std::string check_direct_convolution() {
  return compare_with_loops({.convolution = ConvolutionRule::kDirect}, kFloat32);
}

std::string check_winograd_convolution() {
  const auto kernels =
      small_model().kernels({.max_samples = 8, .convolution = ConvolutionRule::kWinograd});
  if (std::ranges::none_of(kernels, [](const LayerKernel& one) { return one.choice.winograd; }))
    return "no convolution is computed by Winograd's kernels";
  return compare_with_loops({.convolution = ConvolutionRule::kWinograd}, kFloat32);
}

std::string check_bfloat16() {
  return compare_with_loops({.precision = Precision::kBfloat16}, kBfloat16);
}

std::string check_resnet() {
  const ImageModel model =
      resnet({.depth = 20}, {.input = ImageShape{3, 32, 32}, .num_classes = 10});
  const NoiseBatch batch(model, 16);
  constexpr Tolerance kAllLayers{.loss = 1e-4, .gradient = 3e-2};
  return difference(by_network(batch, {.convolution = ConvolutionRule::kWinograd}),
                    by_network(batch, {.convolution = ConvolutionRule::kDirect}), kAllLayers);
}

}  // namespace localbatch
