#include "nn/softmax_loss.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/random.h"

using namespace localbatch;

namespace {

struct Logits {
  Logits(int images, int num_classes, float scale) : classes(num_classes) {
    RandomStream random(1, Purpose::kTest);
    for (int i = 0; i < images; ++i)
      targets.push_back(
          static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes))));
    for (int i = 0; i < images * classes; ++i) values.push_back(scale * random.normal());
  }
  long double probability(std::size_t image, std::size_t c) const {
    const auto width = static_cast<std::size_t>(classes);
    long double sum = 0;
    for (std::size_t k = 0; k < width; ++k)
      sum += std::exp(static_cast<long double>(values[image * width + k]));
    return std::exp(static_cast<long double>(values[image * width + c])) / sum;
  }
  std::vector<float> gradient(double weight, double label_smoothing = 0) const {
    std::vector<float> diff(values.size(), 99);
    softmax_loss_gradient(values, targets, classes,
                          {.weight = weight, .label_smoothing = label_smoothing}, diff);
    return diff;
  }

  int classes;
  std::vector<std::int32_t> targets;
  std::vector<float> values;
};

}  // namespace

TEST_CASE("the loss is the negative logarithm of the label's probability") {
  for (const int classes : {1, 2, 10, 256}) {
    CAPTURE(classes);
    const Logits logits(7, classes, 3);
    long double expected = 0;
    for (std::size_t i = 0; i < 7; ++i)
      expected -= std::log(logits.probability(i, logits.targets[i]));
    const Evaluation found = softmax_loss(logits.values, logits.targets, classes);
    CHECK(found.count == 7);
    CHECK(std::abs(found.loss_sum - static_cast<double>(expected)) <=
          1e-12 * (1 + double(expected)));
  }
}

TEST_CASE("equal logits cost the logarithm of the number of classes") {
  const std::vector<float> logits(10, 123.0F);
  const std::vector<std::int32_t> label{4};
  CHECK(softmax_loss(logits, label, 10).loss_sum == doctest::Approx(std::log(10.0)).epsilon(1e-14));
}

TEST_CASE("the gradient is weight / n (softmax - one hot)") {
  const Logits logits(5, 10, 2);
  const std::vector<float> diff = logits.gradient(0.75);
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t c = 0; c < 10; ++c) {
      const double target = static_cast<int>(c) == logits.targets[i] ? 1 : 0;
      const double expected = 0.75 / 5 * (static_cast<double>(logits.probability(i, c)) - target);
      CHECK(std::abs(double{diff[i * 10 + c]} - expected) <= 1e-7 * std::abs(expected));
    }
}

TEST_CASE("smoothed labels give every class a share of the target's probability, by hand") {
  // Four classes are alike, so each has the probability 0.25; wanted are 0.6 + 0.1 and 0.1.
  const std::vector<float> logits(4, 2.0F);
  const std::vector<std::int32_t> label{2};
  std::vector<float> diff(4);
  softmax_loss_gradient(logits, label, 4, {.weight = 2, .label_smoothing = 0.4}, diff);
  for (const std::size_t other : {0U, 1U, 3U})
    CHECK(diff[other] == doctest::Approx(2 * (0.25 - 0.1)).epsilon(1e-6));
  CHECK(diff[2] == doctest::Approx(2 * (0.25 - 0.7)).epsilon(1e-6));
}

TEST_CASE("the gradient over the classes of an image sums to zero") {
  const Logits logits(20, 100, 4);
  const std::vector<float> diff = logits.gradient(20);
  for (std::size_t i = 0; i < 20; ++i) {
    double sum = 0;
    for (std::size_t c = 0; c < 100; ++c) sum += double{diff[i * 100 + c]};
    CHECK(std::abs(sum) < 2e-7);  // 100 roundings of values below 1
  }
}

TEST_CASE("huge logits neither overflow nor lose the loss") {
  const std::vector<float> logits{3e38F, -3e38F, 0, 1000, 1001, 999};
  const std::vector<std::int32_t> targets{1, 0};
  const Evaluation found = softmax_loss(logits, targets, 3);
  CHECK(found.loss_sum == doctest::Approx(6e38).epsilon(1e-6));
  std::vector<float> diff(6);
  softmax_loss_gradient(logits, targets, 3, {}, diff);
  CHECK(diff[0] == 0.5F);
  CHECK(diff[1] == -0.5F);
  CHECK(diff[2] == 0);

  const std::vector<float> close{1000, 1001, 999};
  const std::vector<std::int32_t> label{0};
  const double expected = std::log(1 + std::exp(1.0) + std::exp(-1.0));
  CHECK(softmax_loss(close, label, 3).loss_sum == doctest::Approx(expected).epsilon(1e-13));
}

TEST_CASE("among equal logits the first class is the prediction") {
  const std::vector<float> tie{1, 5, 5, 2};
  const auto correct = [&](std::int32_t label) {
    const std::vector<std::int32_t> targets{label};
    return softmax_loss(tie, targets, 4).correct;
  };
  CHECK(correct(1) == 1);
  CHECK(correct(2) == 0);
  CHECK(correct(0) == 0);
}
