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

constexpr std::size_t kOddImages = 13;

ImageModel group_norm_resnet20() {
  return make_test_model("resnet", {{"depth", "20"}, {"norm", "group_norm"}}, kSmall, 10);
}

struct GroupNormFixture {
  ImageNetwork network{group_norm_resnet20(), {.max_samples = kOddImages}};
  TestBatch batch{kSmall, 10, kOddImages, 1};
  TestWorker worker{network, 1};

  GroupNormFixture() { network.load(worker.parameters, worker.running_moments); }

  Evaluation evaluate(std::size_t first, std::size_t count) {
    return network.evaluate(batch.part(first, count));
  }
};

}  // namespace

TEST_CASE("with group norm an image has the same logits alone and among others") {
  GroupNormFixture f;
  double alone = 0;
  for (std::size_t image = 0; image < kOddImages; ++image) alone += f.evaluate(image, 1).loss_sum;
  // On some CPUs convolutions round differently by the number of images in a call.
  const auto near = [](double loss) { return doctest::Approx(loss).epsilon(1e-7); };
  CHECK(f.evaluate(0, kOddImages).loss_sum == near(alone));
  double by_fives = 0;
  for (std::size_t first = 0; first < kOddImages; first += 5) {
    double sum = 0;
    const std::size_t count = std::min<std::size_t>(5, kOddImages - first);
    for (std::size_t image = first; image < first + count; ++image)
      sum += f.evaluate(image, 1).loss_sum;
    CHECK(f.evaluate(first, count).loss_sum == near(sum));
    by_fives += sum;
  }
  CHECK(by_fives == near(alone));
}

TEST_CASE("with group norm training and evaluation compute the same loss") {
  GroupNormFixture f;
  const double trained = f.worker.compute_gradient(f.network, f.batch);
  CHECK(trained == f.evaluate(0, kOddImages).loss_sum / kOddImages);
}

TEST_CASE("with group norm micro-batches weighted by their share add up to one batch") {
  GroupNormFixture f;
  const double whole_loss = f.worker.compute_gradient(f.network, f.batch);
  for (const std::size_t size : {1U, 5U}) {
    CAPTURE(size);
    TestWorker parts(f.network, 1);
    f.network.load(parts.parameters, parts.running_moments);
    double loss = 0;
    for (std::size_t first = 0; first < kOddImages; first += size) {
      const std::size_t count = std::min(size, kOddImages - first);
      const double weight = static_cast<double>(count) / kOddImages;
      loss += weight * f.network.train(f.batch.part(first, count), weight, parts.gradient,
                                       first == 0 ? GradientUse::kReplace : GradientUse::kAdd);
    }
    CHECK(loss == doctest::Approx(whole_loss).epsilon(1e-7));
    CHECK(std::sqrt(squared_distance(parts.gradient, f.worker.gradient) /
                    squared_norm(f.worker.gradient)) < 1e-5);
  }
}
