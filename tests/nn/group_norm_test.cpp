#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/vector_math.h"
#include "nn/test_models.h"

using namespace localbatch;

// What a network with group norm promises that one with batch norm cannot: images know nothing of
// each other.

namespace {

constexpr ImageShape kSmall{3, 16, 16};
constexpr std::size_t kImages = 13;

ImageModel resnet20() {
  return make_test_model("resnet", {{"depth", "20"}, {"norm", "group_norm"}}, kSmall, 10);
}

struct Fixture {
  ImageNetwork network{resnet20(), {.max_samples = kImages}};
  TestBatch batch{kSmall, 10, kImages, 1};
  TestWorker worker{network, 1};

  Fixture() { network.load(worker.parameters, worker.running_moments); }

  Evaluation evaluate(std::size_t first, std::size_t count) {
    return network.evaluate(batch.part(first, count));
  }
};

}  // namespace

TEST_CASE("with group norm an image has the same logits alone and among others") {
  Fixture f;
  double alone = 0;
  for (std::size_t image = 0; image < kImages; ++image) alone += f.evaluate(image, 1).loss_sum;
  // On some CPUs convolutions round differently by the number of images in a call.
  const auto near = [](double loss) { return doctest::Approx(loss).epsilon(1e-7); };
  CHECK(f.evaluate(0, kImages).loss_sum == near(alone));
  double by_fives = 0;
  for (std::size_t first = 0; first < kImages; first += 5) {
    double sum = 0;
    const std::size_t count = std::min<std::size_t>(5, kImages - first);
    for (std::size_t image = first; image < first + count; ++image)
      sum += f.evaluate(image, 1).loss_sum;
    CHECK(f.evaluate(first, count).loss_sum == near(sum));
    by_fives += sum;
  }
  CHECK(by_fives == near(alone));
}

TEST_CASE("with group norm training and evaluation compute the same loss") {
  Fixture f;
  const double trained = f.worker.compute_gradient(f.network, f.batch);
  CHECK(trained == f.evaluate(0, kImages).loss_sum / kImages);
}

TEST_CASE("with group norm micro-batches weighted by their share add up to one batch") {
  Fixture f;
  const double whole_loss = f.worker.compute_gradient(f.network, f.batch);
  for (const std::size_t size : {1U, 5U}) {
    CAPTURE(size);
    TestWorker parts(f.network, 1);
    f.network.load(parts.parameters, parts.running_moments);
    double loss = 0;
    for (std::size_t first = 0; first < kImages; first += size) {
      const std::size_t count = std::min(size, kImages - first);
      const double weight = static_cast<double>(count) / kImages;
      loss += weight * f.network.train(f.batch.part(first, count), weight, parts.gradient,
                                       first == 0 ? GradientUse::kReplace : GradientUse::kAdd);
    }
    CHECK(loss == doctest::Approx(whole_loss).epsilon(1e-7));
    CHECK(std::sqrt(squared_distance(parts.gradient, f.worker.gradient) /
                    squared_norm(f.worker.gradient)) < 1e-5);
  }
}
