#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "nn/activations.h"
#include "nn/layers.h"
#include "nn/normalization_formula.h"

using namespace localbatch;
using namespace localbatch::normalization_formula;

// A normalization between neighbours that do nothing, against its formula in double. Gradients are
// finite differences of sum(dy y), where every image has a scale and a shift of its own: what these
// get is what the image adds to the gradient.

namespace {

constexpr Images kAll{0, kImages};

template <class T>
std::vector<double> in_double(const std::vector<T>& values) {
  std::vector<double> result;
  for (const T value : values) result.push_back(double{to_float(value)});
  return result;
}

/// A layer with its neighbours' values.
template <class T>
struct LayerUnderTest {
  explicit LayerUnderTest(const Setting& its_setting)
      : setting(its_setting),
        x(normal_values<T>(kValues, 1, 0.5F, 2)),
        residual(normal_values<T>(kValues, 2)),
        dy(normal_values<T>(kValues, 3)),
        parameters(normal_values<float>(2 * kChannels, 4, 0.7F)),
        running_moments(normal_values<float>(2 * kChannels, 5, 0.5F, 0.1F)),
        y(kValues),
        dx(kValues),
        diff_residual(kValues) {
    for (Value* const value : {&src, &added, &dst}) {
      value->shape = kShape;
      value->element_size = sizeof(T);
    }
    src.values = reinterpret_cast<const std::byte*>(x.data());
    added.values = reinterpret_cast<const std::byte*>(residual.data());
    added.diff = reinterpret_cast<std::byte*>(diff_residual.data());
    dst.diff = reinterpret_cast<std::byte*>(dy.data());
    std::optional<Source<T>> residual_source;
    if (setting.has_residual()) {
      // The output is kept then, and ReLU's mask taken from it.
      dst.memory = AlignedBuffer<std::byte>(kValues * sizeof(T));
      dst.values = dst.memory.data();
      residual_source.emplace(
          added, SourcePlan{.value = 1, .diff = DiffUse::kWrite, .first_reader = true});
    }
    layer = make_normalization_layer<T>(
        Source<T>(src, {.value = 2, .diff = DiffUse::kWrite, .first_reader = true}),
        residual_source, Destination<T>(dst), setting.kind, kImages,
        {.scale = tensor(0),
         .shift = tensor(kChannels),
         .running_mean = tensor(0),
         .running_variance = tensor(kChannels)});
    src.observer = layer.get();
  }

  static TensorView tensor(std::size_t offset) { return {"", {kChannels}, 0, offset, kChannels}; }

  /// Leaves y, dx and the diff of the residual; the neighbours work channel block by channel block.
  void step(std::span<float> gradient, GradientUse use, const SampleSums* samples) {
    const ForwardPass forward{.images = kImages,
                              .batch_norm = setting.batch_norm,
                              .parameters = parameters,
                              .running_moments = running_moments};
    for (int c = 0; c < kShape.channels; c += kChannelBlock)
      Destination<T>(src).written({kAll, c, kChannelBlock}, forward, thread);
    layer->forward(team, forward);
    layer->compute(kAll, reinterpret_cast<std::byte*>(y.data()), thread);
    if (dst.values != nullptr) std::memcpy(dst.memory.data(), y.data(), kValues * sizeof(T));
    for (int c = 0; c < kShape.channels; c += kChannelBlock)
      layer->observe_diff({kAll, c, kChannelBlock}, thread);
    layer->backward(team, {.images = kImages,
                           .parameters = parameters,
                           .gradient = gradient,
                           .use = use,
                           .samples = samples});
    layer->compute_diff(all_channels(kAll, kShape), reinterpret_cast<std::byte*>(dx.data()),
                        thread);
  }

  Inputs inputs() const {
    Inputs in{.x = in_double(x), .residual = in_double(residual)};
    if (!setting.has_residual()) in.residual.assign(kValues, 0);
    for (std::size_t i = 0; i < kSets; ++i) {
      in.scale.push_back(double{parameters[i % kChannels]});
      in.shift.push_back(double{parameters[kChannels + i % kChannels]});
    }
    for (std::size_t c = 0; c < kChannels; ++c) {
      in.mean.push_back(double{running_moments[c]});
      in.variance.push_back(double{running_moments[kChannels + c]});
    }
    return in;
  }

  Setting setting;
  std::vector<T> x, residual, dy;
  std::vector<float> parameters, running_moments;
  std::vector<T> y, dx, diff_residual;
  Value src, added, dst;
  std::unique_ptr<Layer> layer;
  Team team{1};
  Thread thread{0};
};

/// The largest distance, in units of what T's rounding and a few of f32 allow.
template <class T>
double largest_error(const std::vector<T>& found, const std::vector<double>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    worst = std::max(worst, std::abs(double{to_float(found[i])} - expected[i]) /
                                (kRounding<T> * std::abs(expected[i]) + 1e-5));
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("normalizations compute their formula and its finite differences", T, float,
                   Bfloat16) {
  for (const Setting& setting : settings()) {
    CAPTURE(name_of(setting));
    LayerUnderTest<T> layer(setting);
    Inputs in = layer.inputs();
    const std::vector<double> dy = in_double(layer.dy);
    std::vector<float> gradient(2 * kChannels, kNan);
    layer.step(gradient, GradientUse::kReplace, nullptr);
    CHECK(largest_error(layer.y, output(setting, in)) <= 1);
    if (setting.is_running()) continue;  // only evaluations use those
    CHECK(largest_error(layer.dx, slopes(setting, in, in.x, dy)) <= 1);
    if (setting.has_residual())
      CHECK(largest_error(layer.diff_residual, slopes(setting, in, in.residual, dy)) <= 1);
    std::vector<double> expected(2 * kChannels);
    for (const std::vector<double>& mine : gradients_of_images(setting, in, dy))
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += mine[i];
    CHECK(largest_error(gradient, expected) <= 1);

    LayerUnderTest<T> again(setting);
    std::ranges::fill(gradient, 2.0F);
    again.step(gradient, GradientUse::kAdd, nullptr);
    for (double& value : expected) value += 2;
    CHECK(largest_error(gradient, expected) <= 1);
  }
}

TEST_CASE_TEMPLATE("squared norms and inner products are those of each image's own gradient", T,
                   float, Bfloat16) {
  const std::vector<float> direction = normal_values<float>(2 * kChannels, 6);
  for (const Setting& setting : settings()) {
    CAPTURE(name_of(setting));
    LayerUnderTest<T> layer(setting);
    Inputs in = layer.inputs();
    const auto expected = gradients_of_images(setting, in, in_double(layer.dy));
    // Other layers have left something. Without room for a gradient nobody computes it.
    std::vector<double> squared_norms(kImages, 100), inner_products(kImages, -10);
    const SampleSums samples{
        .squared_norms = squared_norms, .inner_products = inner_products, .direction = direction};
    layer.step({}, GradientUse::kReplace, &samples);
    for (std::size_t image = 0; image < kImages; ++image) {
      double squared_norm = 100, inner_product = -10;
      for (std::size_t i = 0; i < direction.size(); ++i) {
        squared_norm += expected[image][i] * expected[image][i];
        inner_product += expected[image][i] * double{direction[i]};
      }
      CHECK(squared_norms[image] == doctest::Approx(squared_norm).epsilon(1e-6));
      CHECK(std::abs(inner_products[image] - inner_product) < 1e-4);
    }
  }
}

TEST_CASE("each of the sums of images can be had alone, and leaves the gradient as it is") {
  for (const int groups : {0, 8}) {
    const Setting setting{.kind = {.src = 2, .relu = true, .groups = groups}};
    std::vector<float> gradient(2 * kChannels), with_sums(2 * kChannels);
    LayerUnderTest<float> plain(setting), both(setting), norms_only(setting),
        products_only(setting);
    plain.step(gradient, GradientUse::kReplace, nullptr);
    const std::vector<float> direction = normal_values<float>(2 * kChannels, 6);
    std::vector<double> norms(kImages), products(kImages), lone_norms(kImages),
        lone_products(kImages);
    const SampleSums all{norms, products, direction}, some{lone_norms, {}, {}},
        others{{}, lone_products, direction};
    both.step(with_sums, GradientUse::kReplace, &all);
    norms_only.step(with_sums, GradientUse::kReplace, &some);
    products_only.step(with_sums, GradientUse::kReplace, &others);
    CHECK(with_sums == gradient);
    CHECK(lone_norms == norms);
    CHECK(lone_products == products);
    CHECK(both.dx == plain.dx);
  }
}
