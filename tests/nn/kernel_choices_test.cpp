#include "nn/kernel_choices.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/vector_math.h"
#include "data/fixtures.h"
#include "nn/test_models.h"

using namespace localbatch;

namespace {

constexpr ImageShape kImage{3, 8, 8};
constexpr int kMostImages = 13;

/// Every kind of convolution that has a way of its own to be cut: of the input, 1x1, with stride,
/// and Winograd's by images, with the gradient by channels and by channels.
ImageModel all_kinds() {
  ImageModel model(kImage);
  ValueId x = 0;
  const auto add = [&](int channels, int kernel, int stride) {
    x = model.add("conv", Convolution{.src = x,
                                      .channels = channels,
                                      .kernel = kernel,
                                      .stride = stride,
                                      .padding = kernel / 2});
    x = model.add("bn", Normalization{.src = x, .relu = true});
  };
  add(16, 3, 1);
  add(16, 3, 1);
  add(32, 1, 1);
  add(128, 3, 2);
  add(128, 3, 1);
  add(256, 1, 1);
  add(256, 3, 1);
  model.add("fc", Dense{.src = model.add("pool", AveragePool{.src = x}), .features = 10});
  return model;
}

/// A choice for each convolution that is not the input's, made from the rule's.
template <class Choose>
KernelChoices choices_for(const ImageModel& model, const Choose& choose) {
  KernelChoices choices;
  for (const LayerDescription& layer : model.layers()) {
    const auto* const convolution = std::get_if<Convolution>(&layer.kind);
    if (convolution == nullptr || convolution->src == 0) continue;
    const ConvolutionShape shape = convolution_shape(*convolution, model.shape(convolution->src));
    choices.push_back(
        {shape, choose(kernel_by_rule(shape, winograd_fits(shape), kMostImages)), "here"});
  }
  return choices;
}

KernelChoices by_rule(const ImageModel& model) {
  return choices_for(model, [](const KernelChoice& rule) { return rule; });
}
KernelChoices with_images(const ImageModel& model, int images) {
  return choices_for(model, [images](const KernelChoice& rule) {
    return KernelChoice{rule.winograd, images};
  });
}
KernelChoices direct(const ImageModel& model, int images) {
  return choices_for(model, [images](const KernelChoice&) { return KernelChoice{false, images}; });
}

struct Trained {
  double loss = 0;
  std::vector<float> gradient, statistics;
  bool operator==(const Trained&) const = default;
};

Trained train(ImageNetwork& network, std::size_t images) {
  const std::vector<float> parameters = repetitive_parameters(network.model());
  TestWorker worker(network, parameters);
  const double loss = worker.compute_gradient(network, TestBatch(kImage, 10, images, images));
  return {loss, worker.canonical_gradient(network), worker.running_moments};
}

Trained train_with(const KernelChoices& kernels, int threads = 1,
                   Precision precision = Precision::kFloat32) {
  ImageNetwork network(
      all_kinds(),
      {.max_samples = kMostImages, .threads = threads, .precision = precision, .kernels = kernels});
  return train(network, kMostImages);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return std::sqrt(squared_norm(difference) / squared_norm(b));
}

}  // namespace

TEST_CASE("choices that repeat the rule change nothing, nor do those of other convolutions") {
  const ImageModel model = all_kinds();
  const Trained expected = train_with({});
  CHECK(train_with(by_rule(model)) == expected);
  KernelChoices others = direct(model, 3);
  for (KernelOverride& kernel : others) ++kernel.shape.src.height;
  CHECK(train_with(others) == expected);
}

TEST_CASE("other choices change bits, but not the gradient") {
  const ImageModel model = all_kinds();
  const Trained expected = train_with({});
  for (const KernelChoices& kernels : {with_images(model, 3), direct(model, 3),
                                       with_images(model, kMostImages), direct(model, 1)}) {
    const Trained result = train_with(kernels);
    CHECK(result.gradient != expected.gradient);
    CHECK(distance(result.gradient, expected.gradient) < 1e-3);
    CHECK(result.loss == doctest::Approx(expected.loss).epsilon(1e-5));
  }
}

TEST_CASE("the images of a slice count, for both algorithms") {
  const ConvolutionShape shape{.src = {16, 8, 8}, .channels = 16, .kernel = 3, .padding = 1};
  std::vector<std::vector<float>> gradients;
  for (const bool winograd : {true, false})
    for (const int images : {4, 5, 6, 9})
      gradients.push_back(train_with({{shape, {winograd, images}, "here"}}).gradient);
  for (std::size_t i = 0; i < gradients.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK(gradients[i] != gradients[j]);
}

TEST_CASE("a network computes each convolution as its choice says") {
  // Only one convolution is direct in both: all others are computed in another way here.
  const ImageModel model = all_kinds();
  const Trained all_direct = train_with(direct(model, 4));
  ImageNetwork network(model, {.max_samples = kMostImages,
                               .convolution = ConvolutionRule::kDirect,
                               .kernels = direct(model, 4)});
  CHECK(train(network, kMostImages) == all_direct);
  CHECK(train_with(direct(model, 5)).gradient != all_direct.gradient);
}

#ifndef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
TEST_CASE("odd choices give the same bits with one, two and three threads") {
  const ImageModel model = all_kinds();
  std::vector<Precision> precisions{Precision::kFloat32};
  if (supports_bfloat16()) precisions.push_back(Precision::kBfloat16);
  for (const Precision precision : precisions) {
    CAPTURE(precision_name(precision));
    for (const KernelChoices& kernels : {with_images(model, 3), direct(model, 3),
                                         with_images(model, 5), with_images(model, kMostImages)}) {
      const Trained alone = train_with(kernels, 1, precision);
      CHECK(all_finite(alone.gradient));
      CHECK(train_with(kernels, 2, precision) == alone);
      CHECK(train_with(kernels, 3, precision) == alone);
    }
  }
}
#endif

TEST_CASE("odd choices work for smaller micro-batches, whatever came before") {
  const ImageModel model = all_kinds();
  for (const KernelChoices& kernels : {with_images(model, 3), direct(model, 5)}) {
    const ExecutionOptions options{.max_samples = kMostImages, .kernels = kernels};
    ImageNetwork used(model, options);
    for (const std::size_t images : {13U, 2U, 7U, 1U, 12U}) {
      CAPTURE(images);
      ImageNetwork fresh(model, options), by_rule(model, {.max_samples = kMostImages});
      const Trained result = train(used, images);
      CHECK(result == train(fresh, images));
      CHECK(distance(result.gradient, train(by_rule, images).gradient) < 1e-3);
    }
  }
}

TEST_CASE("the list of kernels names every convolution with the choice that networks ask for") {
  const ImageModel model = all_kinds();
  const auto with = [&](ConvolutionRule rule, const KernelChoices& recorded) {
    return model.kernels({.max_samples = kMostImages, .convolution = rule, .kernels = recorded});
  };
  const std::vector<LayerKernel> ours = with(ConvolutionRule::kWinograd, {});
  const std::vector<LayerKernel> direct_ones = with(ConvolutionRule::kDirect, {});
  const std::vector<LayerKernel> recorded = with(ConvolutionRule::kWinograd, direct(model, 4));
  std::size_t i = 0;
  for (const LayerDescription& layer : model.layers()) {
    const auto* const convolution = std::get_if<Convolution>(&layer.kind);
    if (convolution == nullptr) continue;
    CAPTURE(layer.name);
    REQUIRE(i < ours.size());
    CHECK(ours[i].layer == layer.name);
    CHECK(ours[i].shape == convolution_shape(*convolution, model.shape(convolution->src)));
    const bool reads_input = convolution->src == 0;
    CHECK(ours[i].choice.winograd == (winograd_fits(ours[i].shape) && !reads_input));
    CHECK(ours[i].choice == kernel_by_rule(ours[i].shape, ours[i].choice.winograd, kMostImages));
    CHECK_FALSE(direct_ones[i].choice.winograd);
    ++i;
  }
  CHECK(i == ours.size());
  CHECK(std::ranges::any_of(ours, [](const LayerKernel& one) { return one.choice.winograd; }));
  CHECK(std::ranges::any_of(recorded, [](const LayerKernel& one) {
    return one.choice == KernelChoice{.winograd = false, .images_per_slice = 4};
  }));
}

TEST_CASE("rules are known by their names") {
  CHECK(name_of(ConvolutionRule::kAuto) == "auto");
  CHECK(name_of(ConvolutionRule::kDirect) == "direct");
  CHECK(name_of(ConvolutionRule::kWinograd) == "winograd");
  CHECK(wants_winograd(ConvolutionRule::kWinograd));
  CHECK_FALSE(wants_winograd(ConvolutionRule::kDirect));
  CHECK(wants_winograd(ConvolutionRule::kAuto) == kWinogradIsFaster);
}

TEST_CASE("impossible choices are refused with their place when the network is made") {
  const ImageModel model = all_kinds();
  const auto refusal = [&](const ConvolutionShape& shape, const KernelChoice& choice) {
    return input_error([&] {
      ImageNetwork(model, {.max_samples = kMostImages, .kernels = {{shape, choice, "k.yaml:3:5"}}});
    });
  };
  const ConvolutionShape second{.src = {16, 8, 8}, .channels = 16, .kernel = 3, .padding = 1};
  CHECK(refusal(second, {true, kMostImages}) == "(no InputError)");
  CHECK(refusal(second, {true, kMostImages + 1}) ==
        "k.yaml:3:5: images_per_slice: found 14, allowed is 1 .. 13, the micro-batch");
  CHECK(refusal(second, {false, 0}) ==
        "k.yaml:3:5: images_per_slice: found 0, allowed is 1 .. 13, the micro-batch");
  const ConvolutionShape input{.src = kImage, .channels = 16, .kernel = 3, .padding = 1};
  CHECK(refusal(input, {true, 1}).starts_with("k.yaml:3:5: algorithm: found winograd"));
  const ConvolutionShape pointwise{.src = {16, 8, 8}, .channels = 32};
  CHECK(refusal(pointwise, {true, 1}).starts_with("k.yaml:3:5: algorithm: found winograd"));
}

TEST_CASE("Winograd fits 3x3 convolutions with stride 1 between whole blocks of channels") {
  const ConvolutionShape fits{.src = {32, 9, 7}, .channels = 64, .kernel = 3, .padding = 1};
  CHECK(winograd_fits(fits));
  for (const auto& change : std::vector<void (*)(ConvolutionShape&)>{
           [](ConvolutionShape& shape) { shape.kernel = 1; },
           [](ConvolutionShape& shape) { shape.stride = 2; },
           [](ConvolutionShape& shape) { shape.padding = 0; },
           [](ConvolutionShape& shape) { shape.channels = 60; },
           [](ConvolutionShape& shape) { shape.src.channels = 3; }}) {
    ConvolutionShape shape = fits;
    change(shape);
    CHECK_FALSE(winograd_fits(shape));
  }
}
