#include "data/synthetic.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <set>

#include "fixtures.h"

using namespace localbatch;

namespace {

constexpr std::size_t kClasses = 10, kPixels = 3072;

std::size_t largest(std::span<const float> scores) {
  return static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin());
}

struct Accuracies {
  double train = 0;
  double test = 0;
};

/// Multinomial logistic regression on normalized pixels by plain SGD.
class SoftmaxRegression {
 public:
  void fit(const ResidentImages& dataset, std::uint32_t epochs, float learning_rate) {
    Sampler sampler(static_cast<std::uint32_t>(dataset.train().size()), 0, 1, 1);
    std::vector<Draw> draws(epochs * dataset.train().size());
    sampler.draw(draws);
    for (const Draw draw : draws) {
      const std::vector<float> image = training_image(dataset, 1, draw);
      std::array<float, kClasses> error = scores(image);
      const float top = *std::ranges::max_element(error);
      float sum = 0;
      for (float& e : error) sum += e = std::exp(e - top);
      for (float& e : error) e /= sum;
      error[dataset.train().labels[draw.sample]] -= 1;
      for (std::size_t i = 0; i < kPixels; ++i)
        for (std::size_t c = 0; c < kClasses; ++c)
          weights_[i * kClasses + c] -= learning_rate * error[c] * image[i];
    }
  }

  std::array<float, kClasses> scores(std::span<const float> image) const {
    std::array<float, kClasses> scores{};
    for (std::size_t i = 0; i < kPixels; ++i)
      for (std::size_t c = 0; c < kClasses; ++c) scores[c] += weights_[i * kClasses + c] * image[i];
    return scores;
  }

  Accuracies accuracies(const ResidentImages& dataset) const {
    int train = 0, test = 0;
    for (std::uint32_t i = 0; i < dataset.train().size(); ++i) {
      train += largest(scores(training_image(dataset, 1, {0, i}))) == dataset.train().labels[i];
    }
    for (std::uint32_t i = 0; i < dataset.test().size(); ++i) {
      test += largest(scores(test_image(dataset, i))) == dataset.test().labels[i];
    }
    return {.train = train / static_cast<double>(dataset.train().size()),
            .test = test / static_cast<double>(dataset.test().size())};
  }

 private:
  std::vector<float> weights_ = std::vector<float>(kPixels * kClasses);
};

/// A pair of gratings a quarter of a wave apart under a raised cosine, without a constant part.
struct WavePair {
  static constexpr int kSide = 18, kArea = 324;
  std::array<float, kArea> cosine{}, sine{};

  WavePair(double angle, double wavelength) {
    constexpr double kTurn = 2 * std::numbers::pi;
    std::array<double, kArea> window{};
    double weight = 0, mean_cosine = 0, mean_sine = 0;
    const auto phase = [&](int i) {
      const int x = i % kSide, y = i / kSide;
      return kTurn / wavelength * (std::cos(angle) * x + std::sin(angle) * y);
    };
    for (int i = 0; i < kArea; ++i) {
      const int x = i % kSide, y = i / kSide;
      window[i] =
          (1 - std::cos(kTurn * (x + 0.5) / kSide)) * (1 - std::cos(kTurn * (y + 0.5) / kSide));
      weight += window[i];
      mean_cosine += window[i] * std::cos(phase(i));
      mean_sine += window[i] * std::sin(phase(i));
    }
    for (int i = 0; i < kArea; ++i) {
      cosine[i] = static_cast<float>(window[i] * (std::cos(phase(i)) - mean_cosine / weight));
      sine[i] = static_cast<float>(window[i] * (std::sin(phase(i)) - mean_sine / weight));
    }
  }

  /// The largest energy, summed over the channels, that a place of the image gives.
  float best_energy(std::span<const float> image) const {
    float best = 0;
    for (int top = 0; top + kSide <= 32; top += 2)
      for (int left = 0; left + kSide <= 32; left += 2) {
        float energy = 0;
        for (int channel = 0; channel < 3; ++channel) {
          float c = 0, s = 0;
          for (int i = 0; i < kArea; ++i) {
            const float pixel = image[channel * 1024 + (top + i / kSide) * 32 + left + i % kSide];
            c += cosine[i] * pixel;
            s += sine[i] * pixel;
          }
          energy += c * c + s * s;
        }
        best = std::max(best, energy);
      }
    return best;
  }
};

std::uint32_t fnv1a(std::span<const std::uint8_t> bytes) {
  std::uint32_t hash = 2166136261U;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 16777619U;
  return hash;
}

}  // namespace

TEST_CASE("a linear model of the pixels learns its training set but not the task") {
  const ResidentImages dataset = generate_synthetic({.train_samples = 2000, .test_samples = 1000});
  SoftmaxRegression model;
  model.fit(dataset, 6, 0.001F);
  const Accuracies accuracies = model.accuracies(dataset);
  CHECK(accuracies.train > 0.6);
  CHECK(accuracies.test < 0.45);
}

TEST_CASE("the energy of ten pairs of filters solves the task") {
  const ResidentImages dataset = generate_synthetic({.train_samples = 1, .test_samples = 200});
  std::vector<std::array<WavePair, 2>> filters;  // [class][lean]
  for (const double wavelength : {3.6, 6.0})
    for (int step = 0; step < 5; ++step) {
      const double angle = std::numbers::pi / 8 * step;
      filters.push_back(
          {WavePair(angle, wavelength), WavePair(std::numbers::pi - angle, wavelength)});
    }
  int correct = 0;
  for (std::size_t i = 0; i < dataset.test().size(); ++i) {
    const std::vector<float> image = test_image(dataset, i);
    std::array<float, kClasses> energies{};
    for (std::size_t c = 0; c < kClasses; ++c)
      energies[c] = std::max(filters[c][0].best_energy(image), filters[c][1].best_energy(image));
    correct += largest(energies) == dataset.test().labels[i];
  }
  const double accuracy = correct / static_cast<double>(dataset.test().size());
  CHECK(accuracy > 0.8);
}

TEST_CASE("the generated bytes are the same on every machine and in every version") {
  const ResidentImages dataset = generate_synthetic({.train_samples = 20, .test_samples = 10});
  CHECK(fnv1a(dataset.train().pixels) == 29154451U);
  CHECK(fnv1a(dataset.test().pixels) == 4180424470U);
  CHECK(dataset.checksum() == 14747025955832981231U);  // checkpoints hold it
}

TEST_CASE("a larger set begins with the smaller one") {
  const ResidentImages small = generate_synthetic({.train_samples = 7, .test_samples = 3});
  const ResidentImages large = generate_synthetic({.train_samples = 30, .test_samples = 12});
  CHECK(std::ranges::equal(small.train().pixels,
                           std::span(large.train().pixels).first(small.train().pixels.size())));
  CHECK(std::ranges::equal(small.test().pixels,
                           std::span(large.test().pixels).first(small.test().pixels.size())));
}

TEST_CASE("all images of both sets and of other seeds differ") {
  const ResidentImages dataset = generate_synthetic({.train_samples = 200, .test_samples = 200});
  const ResidentImages other =
      generate_synthetic({.train_samples = 200, .test_samples = 200, .generator_seed = 2});
  std::set<std::uint32_t> images;
  for (const ResidentImages* d : {&dataset, &other})
    for (const ImageSet* set : {&d->train(), &d->test()})
      for (std::size_t i = 0; i < set->size(); ++i) images.insert(fnv1a(d->image(*set, i)));
  CHECK(images.size() == 800);
}

TEST_CASE("classes are balanced") {
  const ResidentImages dataset = generate_synthetic({.train_samples = 1000, .test_samples = 205});
  CHECK(dataset.format().num_classes == kClasses);
  for (int c = 0; c < 10; ++c) {
    CHECK(std::ranges::count(dataset.train().labels, c) == 100);
    CHECK(std::ranges::count(dataset.test().labels, c) == (c < 5 ? 21 : 20));
  }
}

TEST_CASE("the declared mean and stddev are those of the images at the default noise") {
  const ResidentImages dataset = generate_synthetic({.train_samples = 2000, .test_samples = 1});
  for (std::size_t channel = 0; channel < 3; ++channel) {
    double sum = 0, sum_of_squares = 0;
    for (std::size_t i = 0; i < dataset.train().size(); ++i)
      for (const std::uint8_t byte :
           dataset.image(dataset.train(), i).subspan(channel * 1024, 1024)) {
        sum += byte / 255.0;
        sum_of_squares += byte / 255.0 * byte / 255.0;
      }
    const double n = 2000.0 * 1024, mean = sum / n;
    CHECK(double{dataset.format().mean[channel]} == doctest::Approx(mean).epsilon(0.01));
    CHECK(double{dataset.format().stddev[channel]} ==
          doctest::Approx(std::sqrt(sum_of_squares / n - mean * mean)).epsilon(0.01));
  }
}

TEST_CASE("noise is added to the same images, within its width") {
  const auto images = [](int noise) {
    return generate_synthetic({.train_samples = 50, .test_samples = 1, .noise = noise})
        .train()
        .pixels;
  };
  const auto silent = images(0), noisy = images(20);
  int largest_difference = 0;
  for (std::size_t i = 0; i < silent.size(); ++i)
    largest_difference = std::max(largest_difference, std::abs(silent[i] - noisy[i]));
  CHECK(largest_difference == 20);
}

TEST_CASE("the keys of the experiment file reach the generator") {
  const ResidentImages dataset = load_images({{"name", "synthetic"},
                                              {"train_samples", "30"},
                                              {"test_samples", "20"},
                                              {"noise", "10"},
                                              {"generator_seed", "5"}});
  const ResidentImages expected = generate_synthetic(
      {.train_samples = 30, .test_samples = 20, .noise = 10, .generator_seed = 5});
  CHECK(dataset.train().pixels == expected.train().pixels);
  CHECK(dataset.test().pixels == expected.test().pixels);
  const ResidentImages defaults = load_images({{"name", "synthetic"}});
  CHECK(defaults.train().size() == 10000);
  CHECK(defaults.test().size() == 2000);
  CHECK(std::ranges::equal(
      std::span(defaults.train().pixels).first(kPixels),
      generate_synthetic({.train_samples = 1, .test_samples = 1}).train().pixels));
}
