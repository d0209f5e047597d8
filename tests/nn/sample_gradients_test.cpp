#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "core/vector_math.h"
#include "nn/test_models.h"

using namespace localbatch;

namespace {

/// Convolutions with ReLU one after the other, and a dense layer: no image knows of another.
ImageModel convolutions(const ImageShape& input, const std::vector<Convolution>& kinds) {
  ImageModel model(input);
  ValueId x = 0;
  int number = 0;
  for (Convolution kind : kinds) {
    kind.src = x;
    const std::string name = "conv" + std::to_string(++number);
    x = model.add(name, kind);
    x = model.add(name + ".relu", Relu{.src = x});
  }
  x = model.add("pool", AveragePool{.src = x});
  model.add("fc", Dense{.src = x, .features = 10});
  return model;
}

Convolution conv3(int channels, int stride = 1) {
  return {.channels = channels, .kernel = 3, .stride = stride, .padding = 1};
}
Convolution conv1(int channels, int stride = 1) {
  return {.channels = channels, .kernel = 1, .stride = stride};
}

struct SampleCase {
  const char* what;
  ImageModel model;
  std::size_t images = 7;
};

/// Every kind of layer with weights, in both ways to get the norm.
std::vector<SampleCase> sample_cases() {
  ImageModel pooled({3, 30, 30});
  ValueId x = pooled.add(
      "conv1", Convolution{.src = 0, .channels = 32, .kernel = 7, .stride = 2, .padding = 3});
  x = pooled.add("pool1", MaxPool{.src = x});
  x = pooled.add("conv2", Convolution{.src = x, .channels = 64, .kernel = 5, .padding = 2});
  x = pooled.add("pad", PadShortcut{.src = x, .channels = 96, .stride = 2});
  x = pooled.add("pool2", AveragePool{.src = x});
  x = pooled.add("fc1", Dense{.src = x, .features = 20});
  pooled.add("fc2", Dense{.src = x, .features = 10});
  return {
      {"mlp", make_test_model("mlp", {{"hidden_features", "50"}}, {3, 16, 16}, 10), 13},
      {"the layers of ResNet-20",
       convolutions({3, 32, 32}, {conv3(16), conv3(16), conv3(32, 2), conv3(32), conv3(64, 2),
                                  conv3(64), conv1(32)}),
       21},
      {"odd sizes", convolutions({1, 21, 19}, {conv3(16, 2), conv3(32), conv3(64), conv1(64, 2),
                                               conv3(64, 2), conv1(16)})},
      {"blocks of channels, gradients",
       convolutions({3, 34, 32}, {conv3(64), conv3(128), conv3(160)}), 3},
      {"blocks of channels, pixels",
       convolutions({3, 16, 16},
                    {conv3(64, 2), conv3(128), conv3(160), conv3(160), conv3(192, 2), conv1(256)})},
      {"pools", pooled},
      {"ResNet-20 with group norm",
       make_test_model("resnet", {{"depth", "20"}, {"norm", "group_norm"}}, {3, 32, 32}, 10), 5},
      {"ResNet-18 with group norm",
       make_test_model("resnet", {{"depth", "18"}, {"norm", "group_norm"}}, {3, 32, 32}, 10), 3},
      {"one large image", convolutions({3, 40, 40}, {conv3(64), conv3(64, 2)}), 1},
      {"one image", convolutions({3, 8, 8}, {conv3(64), conv3(64), conv3(128, 2)}), 1},
  };
}

std::vector<float> random_direction(std::size_t size) {
  RandomStream random(5, Purpose::kTest);
  std::vector<float> direction(size);
  for (float& value : direction) value = random.normal();
  return direction;
}

struct Statistics {
  explicit Statistics(std::size_t images) : squared_norms(images, -1), inner_products(images, -1) {}
  SampleSums sums(std::span<const float> direction) {
    return {
        .squared_norms = squared_norms, .inner_products = inner_products, .direction = direction};
  }
  std::vector<double> squared_norms, inner_products;
};

/// The same from the gradient of every image alone.
Statistics brute_force(ImageNetwork& network, TestWorker& worker, const TestBatch& batch,
                       std::span<const float> direction) {
  Statistics expected(batch.targets.size());
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    network.train(batch.part(i, 1), 1, worker.gradient, GradientUse::kReplace);
    expected.squared_norms[i] = squared_norm(worker.gradient);
    expected.inner_products[i] = inner_product(worker.gradient, direction);
  }
  return expected;
}

/// What is largest relative to what is expected. Inner products are relative to themselves, but
/// those of nearly orthogonal arrays to a hundredth of the product of the norms.
struct Errors {
  double squared_norm = 0, inner_product = 0, sum = 0;

  void see(const Statistics& found, const Statistics& expected, std::span<const float> direction) {
    for (std::size_t i = 0; i < found.squared_norms.size(); ++i) {
      const double norm = expected.squared_norms[i], product = expected.inner_products[i];
      const double scale = 0.01 * std::sqrt(norm * localbatch::squared_norm(direction));
      squared_norm = std::max(squared_norm, std::abs(found.squared_norms[i] / norm - 1));
      inner_product = std::max(inner_product, std::abs(found.inner_products[i] - product) /
                                                  std::max(scale, std::abs(product)));
    }
  }
};

/// Weights of single images in the sum, against the gradient of every image alone.
void check_weighted_sum(ImageNetwork& network, TestWorker& worker, const TestBatch& batch) {
  std::vector<double> weights(batch.targets.size());
  std::vector<float> expected(worker.gradient.size()), found(expected.size(), NAN);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = i % 2 == 0 ? 0.5 : -2;  // powers of two, which round nothing
    network.train(batch.part(i, 1), 1, worker.gradient, GradientUse::kReplace);
    for (std::size_t j = 0; j < expected.size(); ++j)
      expected[j] += static_cast<float>(weights[i]) * worker.gradient[j];
  }
  network.sample_gradients(batch.all(), found, GradientUse::kReplace, {.weights = weights});
  CHECK(relative_distance(found, expected) < 1e-5);
}

/// Statistics with the direction of the sum of all gradients and with a random one.
void check_statistics(const SampleCase& test, const ExecutionOptions& options, Errors& errors) {
  const std::size_t count = test.images;
  const TestBatch batch(test.model.input(), 10, count, 1);
  ImageNetwork network(test.model, options);
  TestWorker worker(network, 1);
  network.load(worker.parameters, worker.running_moments);
  // Weights that are no power of two would round diffs in bf16 differently.
  std::vector<float> all(worker.gradient.size()), sum(all.size(), NAN);
  const double loss =
      network.train(batch.all(), static_cast<double>(count), all, GradientUse::kReplace);

  Statistics found(count);
  CHECK(network.sample_gradients(batch.all(), sum, GradientUse::kReplace, found.sums(all)) == loss);
  errors.see(found, brute_force(network, worker, batch, all), all);
  errors.sum = std::max(errors.sum, relative_distance(sum, all));
  const double products =
      std::accumulate(found.inner_products.begin(), found.inner_products.end(), 0.0);
  CHECK(products == doctest::Approx(squared_norm(all)).epsilon(1e-5));

  Statistics other(count);
  const std::vector<float> direction = random_direction(all.size());
  network.sample_gradients(batch.all(), {}, GradientUse::kReplace, other.sums(direction));
  errors.see(other, brute_force(network, worker, batch, direction), direction);
  CHECK(other.squared_norms == found.squared_norms);

  // One at a time, and a gradient that is added to another one.
  Statistics alone(count);
  std::vector<float> twice = sum;
  network.sample_gradients(
      batch.all(), twice, GradientUse::kAdd,
      {.squared_norms = alone.squared_norms, .inner_products = {}, .direction = {}});
  network.sample_gradients(
      batch.all(), {}, GradientUse::kReplace,
      {.squared_norms = {}, .inner_products = alone.inner_products, .direction = all});
  CHECK(alone.squared_norms == found.squared_norms);
  CHECK(alone.inner_products == found.inner_products);
  for (float& value : sum) value *= 2;
  CHECK(relative_distance(twice, sum) < 1e-6);
  check_weighted_sum(network, worker, batch);
}

}  // namespace

TEST_CASE("statistics of single images are those of their gradients") {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    if (precision == Precision::kBfloat16 && !supports_bfloat16()) {
      MESSAGE("bf16 is skipped: this CPU does not compute with it");
      continue;
    }
    Errors errors;
    for (const ConvolutionRule rule : {ConvolutionRule::kWinograd, ConvolutionRule::kDirect})
      for (const SampleCase& test : sample_cases()) {
        CAPTURE(test.what);
        CAPTURE(name_of(rule));
        CAPTURE(precision_name(precision));
        check_statistics(test,
                         {.max_samples = static_cast<int>(test.images),
                          .precision = precision,
                          .convolution = rule},
                         errors);
      }
    MESSAGE(precision_name(precision)
            << ", largest relative errors: squared norms " << errors.squared_norm
            << ", inner products " << errors.inner_product << ", gradient " << errors.sum);
    CHECK(errors.squared_norm < 2e-6);
    CHECK(errors.inner_product < 2e-5);
    CHECK(errors.sum < 2e-6);
  }
}

#ifndef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
TEST_CASE("statistics of single images have the same bits with any number of threads") {
  for (const SampleCase& test : sample_cases()) {
    CAPTURE(test.what);
    const TestBatch batch(test.model.input(), 10, test.images, 1);
    const auto run = [&](int threads) {
      ImageNetwork network(test.model,
                           {.max_samples = static_cast<int>(test.images), .threads = threads});
      TestWorker worker(network, 1);
      network.load(worker.parameters, worker.running_moments);
      Statistics found(test.images);
      const std::vector<float> direction = random_direction(worker.parameters.size());
      network.sample_gradients(batch.all(), worker.gradient, GradientUse::kReplace,
                               found.sums(direction));
      return std::pair(found, worker.gradient);
    };
    const auto [expected, expected_gradient] = run(1);
    for (const int threads : {2, 4}) {
      CAPTURE(threads);
      const auto [found, gradient] = run(threads);
      CHECK(found.squared_norms == expected.squared_norms);
      CHECK(found.inner_products == expected.inner_products);
      CHECK(gradient == expected_gradient);
    }
  }
}
#endif

TEST_CASE("statistics of single images leave running statistics and training steps alone") {
  const ImageModel model = make_test_model("resnet", {{"depth", "20"}}, {3, 16, 16}, 10);
  const TestBatch batch(model.input(), 10, 16, 1);
  ImageNetwork network(model, {.max_samples = 16});
  TestWorker worker(network, 1), again(network, 1);
  const double loss = worker.compute_gradient(network, batch);

  network.load(again.parameters, again.running_moments);
  const std::vector<float> before = again.running_moments;
  Statistics found(16);
  std::vector<float> sum(again.gradient.size());
  CHECK(network.sample_gradients(batch.all(), sum, GradientUse::kReplace,
                                 found.sums(again.parameters)) == loss);
  CHECK(again.running_moments == before);
  for (float& value : sum) value /= 16;
  CHECK(relative_distance(sum, worker.gradient) < 1e-5);
  CHECK(again.compute_gradient(network, batch) == loss);
  CHECK(again.gradient == worker.gradient);
  CHECK(again.running_moments == worker.running_moments);
}
