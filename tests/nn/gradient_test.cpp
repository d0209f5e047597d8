#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>

#include "nn/gradient_check.h"
#include "nn/image_network.h"
#include "nn/test_models.h"

using namespace localbatch;

// Every kind of layer in a small model of its own: its loss against plain loops in double, its
// gradient against finite differences of the loss. The diff that a layer passes on is checked by
// the parameters below it.

namespace {

constexpr int kClasses = 5;
constexpr ImageShape kOdd{3, 9, 7};

/// A wrong factor, a forgotten term or a lost border pixel is far above this.
constexpr double kTolerance = 1e-2;

constexpr FiniteDifferences kSmooth{.seeds = 1, .loss_change = 1e-2};

void check_gradients(const ImageModel& model, std::initializer_list<int> numbers_of_images,
                     const FiniteDifferences& how = {}) {
  ImageNetwork network(model, {.max_samples = std::max(numbers_of_images), .threads = 1});
  for (const int images : numbers_of_images) {
    CAPTURE(images);
    CHECK(std::abs(loss_error(network, images, 1)) < 1e-5);
    for (const GradientErrors& errors : gradient_errors(network, images, how)) {
      CAPTURE(errors.tensor);
      CHECK(errors.along_gradient < kTolerance);
      CHECK(errors.along_half < kTolerance);
      CHECK(errors.along_random < kTolerance);
    }
  }
}

/// Builds a model layer by layer; the end is always a classifier that sees every pixel.
class Builder {
 public:
  explicit Builder(const ImageShape& input = kOdd) : model_(input) {}

  ValueId convolution(ValueId src, int channels, int kernel = 3, int stride = 1) {
    return add(Convolution{.src = src,
                           .channels = channels,
                           .kernel = kernel,
                           .stride = stride,
                           .padding = kernel / 2});
  }
  ValueId add(const LayerKind& kind) {
    return model_.add("layer" + std::to_string(model_.layers().size()), kind);
  }
  /// A value with a parameter below it, in channel blocks.
  ValueId start(int channels) {
    return add(Normalization{.src = convolution(0, channels), .relu = true});
  }
  ImageModel finish(ValueId last) {
    add(Dense{.src = last, .features = kClasses});
    return model_;
  }

 private:
  ImageModel model_;
};

}  // namespace

TEST_CASE("gradients of softmax regression") {
  check_gradients(make_test_model("softmax_regression", {}, kOdd, kClasses), {1, 3, 8, 11},
                  kSmooth);
}

TEST_CASE("gradients of dense layers with ReLU") {
  check_gradients(make_test_model("mlp", {{"hidden_features", "27"}}, kOdd, kClasses),
                  {1, 3, 8, 11});
}

TEST_CASE("gradients of a dense layer on a feature map") {
  Builder builder;
  const ValueId x = builder.add(Relu{.src = builder.convolution(0, 16, 3, 2)});
  const ValueId y = builder.add(Dense{.src = x, .features = 32});
  check_gradients(builder.finish(builder.add(Relu{.src = y})), {3});
}

TEST_CASE("gradients of convolutions, on the input and above it") {
  for (const int kernel : {1, 3, 7})
    for (const int stride : {1, 2}) {
      CAPTURE(kernel);
      CAPTURE(stride);
      Builder builder;
      ValueId x = builder.convolution(0, 16, kernel, stride);
      x = builder.convolution(x, 32, kernel, stride);
      check_gradients(builder.finish(builder.convolution(x, 16, 3)), {1, 3, 8, 11}, kSmooth);
    }
}

TEST_CASE("gradients of the mean over pixels") {
  Builder builder;
  const ValueId x = builder.convolution(0, 16);
  check_gradients(builder.finish(builder.add(AveragePool{.src = x})), {1, 3, 8, 11}, kSmooth);
}

TEST_CASE("gradients of ReLU on a feature map") {
  Builder builder;
  const ValueId x = builder.add(Normalization{.src = builder.convolution(0, 16)});
  const ValueId y = builder.convolution(builder.add(Relu{.src = x}), 16);
  check_gradients(builder.finish(y), {3, 11});
}

TEST_CASE("gradients of batch norm with and without ReLU") {
  for (const bool relu : {false, true}) {
    CAPTURE(relu);
    Builder builder({3, 5, 3});
    ValueId x = builder.convolution(0, 16);
    x = builder.add(Normalization{.src = x, .relu = relu});
    x = builder.convolution(x, 32);
    x = builder.add(Normalization{.src = x, .relu = relu});
    const ImageModel model = builder.finish(x);
    check_gradients(model, {3, 11});
  }
}

TEST_CASE("gradients of group norm, groups smaller and larger than a channel block") {
  for (const int groups : {1, 2, 16}) {
    CAPTURE(groups);
    Builder builder({3, 5, 3});
    ValueId x = builder.convolution(0, 32);
    x = builder.add(Normalization{.src = x, .relu = true, .groups = groups});
    ValueId y = builder.convolution(x, 32);
    y = builder.add(Normalization{.src = y, .add = x, .relu = true, .groups = groups});
    check_gradients(builder.finish(builder.convolution(y, 16)), {1, 3});
  }
}

TEST_CASE("gradients of residuals, identity and projection, with and without ReLU") {
  for (const bool relu : {false, true})
    for (const bool projection : {false, true}) {
      CAPTURE(relu);
      CAPTURE(projection);
      Builder builder;
      const ValueId x = builder.start(16);
      const int channels = projection ? 32 : 16, stride = projection ? 2 : 1;
      ValueId y = builder.convolution(x, channels, 3, stride);
      y = builder.add(Normalization{.src = y, .relu = true});
      y = builder.convolution(y, channels);
      ValueId shortcut = x;
      if (projection)
        shortcut = builder.add(Normalization{.src = builder.convolution(x, channels, 1, stride)});
      y = builder.add(Normalization{.src = y, .add = shortcut, .relu = relu});
      const ImageModel model = builder.finish(y);
      check_gradients(model, {3, 11});
    }
}

TEST_CASE("gradients of max-pool") {
  for (const MaxPool pool : {MaxPool{.kernel = 3, .stride = 2, .padding = 1},
                             MaxPool{.kernel = 2, .stride = 2, .padding = 0},
                             MaxPool{.kernel = 3, .stride = 1, .padding = 1}}) {
    Builder builder;
    MaxPool kind = pool;
    kind.src = builder.start(16);
    const ImageModel model = builder.finish(builder.convolution(builder.add(kind), 32));
    check_gradients(model, {3, 11});
  }
}

TEST_CASE("gradients of zero-padded shortcuts") {
  for (const int stride : {1, 2}) {
    CAPTURE(stride);
    Builder builder;
    const ValueId x = builder.start(32);
    const ValueId shortcut = builder.add(PadShortcut{.src = x, .channels = 64, .stride = stride});
    const ValueId y = builder.convolution(shortcut, 16);
    const ImageModel model = builder.finish(y);
    check_gradients(model, {3, 11});
  }
}

// A value with two readers gets its diff in two parts. The reader that comes first in the forward
// pass is the last one in the backward pass: it adds to what the other one has left.

TEST_CASE("gradients where a convolution shares its source") {
  Builder builder;
  const ValueId x = builder.start(16);
  const ValueId y = builder.convolution(x, 16);
  check_gradients(builder.finish(builder.add(Normalization{.src = y, .add = x, .relu = true})),
                  {11});
}

TEST_CASE("gradients where batch norm shares its source") {
  Builder builder;
  const ValueId x = builder.convolution(0, 16);
  const ValueId y = builder.convolution(builder.add(Normalization{.src = x, .relu = true}), 16);
  check_gradients(builder.finish(builder.add(Normalization{.src = y, .add = x, .relu = true})),
                  {11});
}

TEST_CASE("gradients where a residual is read again") {
  Builder builder;
  const ValueId x = builder.start(16);
  const ValueId y =
      builder.add(Normalization{.src = builder.convolution(x, 16), .add = x, .relu = true});
  const ValueId z = builder.convolution(x, 16);
  check_gradients(builder.finish(builder.add(Normalization{.src = z, .add = y, .relu = true})),
                  {11});
}

TEST_CASE("gradients where ReLU shares its source") {
  Builder builder;
  const ValueId x = builder.add(Normalization{.src = builder.convolution(0, 16)});
  const ValueId y = builder.convolution(builder.add(Relu{.src = x}), 16);
  check_gradients(builder.finish(builder.add(Normalization{.src = y, .add = x, .relu = true})),
                  {11});
}

TEST_CASE("gradients where max-pool shares its source") {
  Builder builder;
  const ValueId x = builder.start(16);
  const ValueId pooled = builder.add(MaxPool{.src = x});
  const ValueId y = builder.convolution(x, 16, 3, 2);
  check_gradients(builder.finish(builder.add(Normalization{.src = y, .add = pooled, .relu = true})),
                  {11});
}

TEST_CASE("gradients where a zero-padded shortcut shares its source") {
  Builder builder;
  const ValueId x = builder.start(16);
  const ValueId shortcut = builder.add(PadShortcut{.src = x, .channels = 32, .stride = 2});
  const ValueId y = builder.convolution(x, 32, 3, 2);
  check_gradients(
      builder.finish(builder.add(Normalization{.src = y, .add = shortcut, .relu = true})), {11});
}

TEST_CASE("gradients where the mean over pixels shares its source") {
  Builder builder;
  const ValueId x = builder.start(16);
  const ValueId mean = builder.add(AveragePool{.src = x});
  const ValueId y = builder.add(Relu{.src = builder.convolution(x, 16)});
  const ValueId z = builder.add(AveragePool{.src = y});
  check_gradients(builder.finish(builder.add(Normalization{.src = z, .add = mean})), {11});
}

TEST_CASE("gradients where a dense layer shares its source") {
  Builder builder;
  const ValueId x = builder.add(AveragePool{.src = builder.start(32)});
  const ValueId y = builder.add(Dense{.src = x, .features = 32});
  check_gradients(builder.finish(builder.add(Normalization{.src = y, .add = x, .relu = true})),
                  {11});
}
