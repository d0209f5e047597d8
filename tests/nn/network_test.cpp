#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/vector_math.h"
#include "nn/image_network.h"
#include "nn/test_models.h"

using namespace localbatch;

namespace {

ImageModel small_resnet20(const std::string& shortcut = "projection") {
  return make_test_model("resnet", {{"depth", "20"}, {"shortcut", shortcut}}, kSmall, 10);
}
ImageModel mlp() { return make_test_model("mlp", {{"hidden_features", "50"}}, kSmall, 10); }

}  // namespace

TEST_CASE("parameters survive the way to canonical order and back") {
  for (const ImageModel& model :
       {small_resnet20(), mlp(),
        make_test_model("resnet", {{"depth", "18"}, {"stem", "imagenet"}}, {1, 32, 32}, 1000)}) {
    const ImageNetwork network(model, {.max_samples = 8, .threads = 1});
    std::vector<float> canonical(network.parameter_count()), parameters(canonical.size(), -1),
        back(canonical.size(), -1);
    for (std::size_t i = 0; i < canonical.size(); ++i)
      canonical[i] = static_cast<float>(i % 999983);
    network.from_canonical(canonical, parameters);
    network.to_canonical(parameters, back);
    CHECK(back == canonical);
  }
}

#ifndef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
TEST_CASE("gradient, loss and statistics have the same bits with any number of threads") {
  for (const ImageModel& model : {small_resnet20(), small_resnet20("pad"), mlp()})
    for (const std::size_t images : {1U, 13U}) {
      CAPTURE(images);
      const TestBatch batch(kSmall, 10, images, 1);
      const auto run = [&](int threads) {
        ImageNetwork network(model, {.max_samples = 13, .threads = threads});
        TestWorker worker(network, 1);
        const double loss = worker.compute_gradient(network, batch);
        return std::pair(loss, worker);
      };
      const auto [expected_loss, expected] = run(1);
      for (const int threads : {2, 3, 4}) {
        CAPTURE(threads);
        const auto [loss, worker] = run(threads);
        CHECK(loss == expected_loss);
        CHECK(worker.gradient == expected.gradient);
        CHECK(worker.running_moments == expected.running_moments);
      }
    }
}
#endif

TEST_CASE("a network remembers nothing between micro-batches") {
  const TestBatch first(kSmall, 10, 13, 1), second(kSmall, 10, 16, 2);
  ImageNetwork network(small_resnet20(), {.max_samples = 16, .threads = 1});
  TestWorker worker(network, 1), again(network, 1);
  const double loss = worker.compute_gradient(network, first);
  TestWorker other(network, 2);
  other.compute_gradient(network, second);
  CHECK(again.compute_gradient(network, first) == loss);
  CHECK(again.gradient == worker.gradient);
}

TEST_CASE("micro-batches weighted by their share add up to one batch") {
  constexpr std::size_t kImages = 64;
  const TestBatch batch(kSmall, 10, kImages, 1);
  ImageNetwork network(mlp(), {.max_samples = kImages, .threads = 1});
  TestWorker whole(network, 1);
  const double whole_loss = whole.compute_gradient(network, batch);
  for (const std::size_t size : {16U, 32U, 48U, 64U}) {
    CAPTURE(size);
    TestWorker parts(network, 1);
    network.load(parts.parameters, parts.running_moments);
    double loss = 0;
    for (std::size_t first = 0; first < kImages; first += size) {
      const std::size_t count = std::min(size, kImages - first);
      const double weight = static_cast<double>(count) / kImages;
      loss += weight * network.train(batch.part(first, count), weight, parts.gradient,
                                     first == 0 ? GradientUse::kReplace : GradientUse::kAdd);
    }
    CHECK(loss == doctest::Approx(whole_loss).epsilon(1e-7));
    CHECK(relative_distance(parts.gradient, whole.gradient) < 1e-6);
  }
}

TEST_CASE("a micro-batch adds to the gradient") {
  const TestBatch batch(kSmall, 10, 16, 1);
  ImageNetwork network(small_resnet20(), {.max_samples = 16, .threads = 1});
  TestWorker once(network, 1), thrice(network, 1);
  once.compute_gradient(network, batch);
  network.load(thrice.parameters, thrice.running_moments);
  network.train(batch.all(), 0.5, thrice.gradient, GradientUse::kReplace);
  for (const double weight : {2.0, 0.5})
    network.train(batch.all(), weight, thrice.gradient, GradientUse::kAdd);
  for (float& value : once.gradient) value *= 3;
  CHECK(relative_distance(thrice.gradient, once.gradient) < 1e-6);
}

TEST_CASE("workers that take turns on one network get what each would get alone") {
  constexpr int kSteps = 3;
  const auto step = [](ImageNetwork& network, TestWorker& worker, const TestBatch& batch) {
    worker.compute_gradient(network, batch);
    for (std::size_t i = 0; i < worker.parameters.size(); ++i)
      worker.parameters[i] -= 0.05F * worker.gradient[i];
  };
  const TestBatch batch_a(kSmall, 10, 16, 1), batch_b(kSmall, 10, 11, 2);
  ImageNetwork shared(small_resnet20(), {.max_samples = 16}),
      own_a(small_resnet20(), {.max_samples = 16}), own_b(small_resnet20(), {.max_samples = 16});
  TestWorker a(shared, 1), b(shared, 2), alone_a(own_a, 1), alone_b(own_b, 2);
  for (int i = 0; i < kSteps; ++i) {
    step(shared, a, batch_a);
    step(shared, b, batch_b);
  }
  for (int i = 0; i < kSteps; ++i) step(own_a, alone_a, batch_a);
  for (int i = 0; i < kSteps; ++i) step(own_b, alone_b, batch_b);
  CHECK(a.parameters == alone_a.parameters);
  CHECK(a.running_moments == alone_a.running_moments);
  CHECK(b.parameters == alone_b.parameters);
  CHECK(b.running_moments == alone_b.running_moments);
}

TEST_CASE("evaluation does not depend on the size of its batches") {
  constexpr std::size_t kImages = 37;
  for (const ImageModel& model : {small_resnet20(), mlp()}) {
    const TestBatch batch(kSmall, 10, kImages, 1);
    ImageNetwork network(model, {.max_samples = kImages, .threads = 1});
    TestWorker worker(network, 1);
    for (int i = 0; i < 5; ++i) worker.compute_gradient(network, batch);
    const auto evaluate_by = [&](std::size_t size) {
      Evaluation sum;
      for (std::size_t first = 0; first < kImages; first += size) {
        const std::size_t count = std::min(size, kImages - first);
        const Evaluation part = network.evaluate(batch.part(first, count));
        sum.loss_sum += part.loss_sum;
        sum.correct += part.correct;
        sum.count += part.count;
      }
      return sum;
    };
    const Evaluation whole = evaluate_by(kImages);
    CHECK(whole.count == kImages);
    for (const std::size_t size : {1U, 3U, 8U, 16U, 20U}) {
      CAPTURE(size);
      const Evaluation parts = evaluate_by(size);
      // Convolutions and dense layers may round differently by the number of images in a call.
      CHECK(std::abs(parts.loss_sum - whole.loss_sum) <= 1e-6 * whole.loss_sum);
      CHECK(parts.correct == whole.correct);
      CHECK(parts.count == whole.count);
    }
  }
}

TEST_CASE("a residual network memorizes 64 random images") {
  const TestBatch batch(kSmall, 10, 64, 1);
  ImageNetwork network(small_resnet20(), {.max_samples = 64, .threads = 1});
  TestWorker worker(network, 1);
  std::vector<float> velocity(worker.parameters.size());
  double loss = 10;
  for (int step = 0; step < 60 && loss > 0.02; ++step) {
    loss = worker.compute_gradient(network, batch);
    for (std::size_t i = 0; i < velocity.size(); ++i) {
      velocity[i] = 0.9F * velocity[i] + worker.gradient[i];
      worker.parameters[i] -= 0.05F * velocity[i];
    }
  }
  CHECK(loss < 0.05);
  // The running statistics follow the last parameters, and then evaluation agrees.
  for (int pass = 0; pass < 40; ++pass) worker.compute_gradient(network, batch);
  const Evaluation evaluation = network.evaluate(batch.all());
  CHECK(evaluation.correct == 64);
  CHECK(evaluation.loss_sum / 64 < 0.05);
}
