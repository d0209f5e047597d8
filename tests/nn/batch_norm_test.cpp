#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "nn/test_models.h"

using namespace localbatch;

// convolution 1x1, batch norm, ReLU, mean over pixels, classifier: small enough to be written down
// in double.

namespace {

constexpr std::size_t kSmallChannels = 16, kSmallColors = 3, kSmallPixels = 15, kSmallClasses = 5,
                      kSmallImages = 11;

ImageModel small_model() {
  ImageModel model({kSmallColors, 3, 5});
  ValueId x = model.add("conv", Convolution{.src = 0, .channels = kSmallChannels});
  x = model.add("bn", Normalization{.src = x, .relu = true});
  model.add("fc",
            Dense{.src = model.add("pool", AveragePool{.src = x}), .features = kSmallClasses});
  return model;
}

struct Moments {
  std::vector<double> mean, variance;  ///< per channel; the variance is the biased one
};

/// The model in double; parameters in canonical order.
class BatchNormReference {
 public:
  explicit BatchNormReference(const TestBatch& batch) : batch_(batch) {}

  Moments moments(const std::vector<double>& parameters) const {
    Moments found{std::vector<double>(kSmallChannels), std::vector<double>(kSmallChannels)};
    for (std::size_t c = 0; c < kSmallChannels; ++c) {
      for_each_pixel([&](std::size_t i, std::size_t p) {
        found.mean[c] += convolved(parameters, i, c, p) / (kSmallImages * kSmallPixels);
      });
      for_each_pixel([&](std::size_t i, std::size_t p) {
        const double centered = convolved(parameters, i, c, p) - found.mean[c];
        found.variance[c] += centered * centered / (kSmallImages * kSmallPixels);
      });
    }
    return found;
  }

  /// Mean loss when these moments normalize.
  double loss(const std::vector<double>& parameters, const Moments& moments) const {
    const double* const scale = &parameters[kSmallChannels * kSmallColors];
    const double* const shift = scale + kSmallChannels;
    const double* const weight = shift + kSmallChannels;
    const double* const bias = weight + kSmallClasses * kSmallChannels;
    double sum = 0;
    for (std::size_t i = 0; i < kSmallImages; ++i) {
      std::vector<double> logits(bias, bias + kSmallClasses);
      for (std::size_t c = 0; c < kSmallChannels; ++c) {
        double feature = 0;
        for (std::size_t p = 0; p < kSmallPixels; ++p) {
          const double x = convolved(parameters, i, c, p) - moments.mean[c];
          const double y = scale[c] * x / std::sqrt(moments.variance[c] + 1e-5) + shift[c];
          feature += std::max(y, 0.0) / kSmallPixels;
        }
        for (std::size_t k = 0; k < kSmallClasses; ++k)
          logits[k] += weight[k * kSmallChannels + c] * feature;
      }
      double exponentials = 0;
      for (const double logit : logits) exponentials += std::exp(logit);
      sum += std::log(exponentials) - logits[batch_.targets[i]];
    }
    return sum / kSmallImages;
  }

 private:
  static void for_each_pixel(const std::function<void(std::size_t, std::size_t)>& body) {
    for (std::size_t i = 0; i < kSmallImages; ++i)
      for (std::size_t p = 0; p < kSmallPixels; ++p) body(i, p);
  }
  double convolved(const std::vector<double>& parameters, std::size_t i, std::size_t c,
                   std::size_t p) const {
    double sum = 0;
    for (std::size_t k = 0; k < kSmallColors; ++k)
      sum += parameters[c * kSmallColors + k] *
             double{batch_.pixels[(i * kSmallColors + k) * kSmallPixels + p]};
    return sum;
  }

  const TestBatch& batch_;
};

struct BatchNormFixture {
  BatchNormFixture()
      : network(small_model(), {.max_samples = kSmallImages}),
        batch(network.model().input(), kSmallClasses, kSmallImages, 1),
        worker(network, 1),
        reference(batch) {
    std::vector<float> canonical(worker.parameters.size());
    network.to_canonical(worker.parameters, canonical);
    for (std::size_t c = 0; c < kSmallChannels; ++c) {
      canonical[kSmallChannels * kSmallColors + c] = 0.5F + 0.1F * static_cast<float>(c);
      canonical[kSmallChannels * (kSmallColors + 1) + c] = 0.3F - 0.05F * static_cast<float>(c);
    }
    network.from_canonical(canonical, worker.parameters);
    parameters.assign(canonical.begin(), canonical.end());
  }

  ImageNetwork network;
  TestBatch batch;
  TestWorker worker;
  BatchNormReference reference;
  std::vector<double> parameters;
};

double unbiased(double variance) {
  return variance * kSmallImages * kSmallPixels / (kSmallImages * kSmallPixels - 1.0);
}

}  // namespace

TEST_CASE("training normalizes with the mean and the biased variance of the micro-batch") {
  BatchNormFixture f;
  const double expected = f.reference.loss(f.parameters, f.reference.moments(f.parameters));
  CHECK(f.worker.compute_gradient(f.network, f.batch) == doctest::Approx(expected).epsilon(1e-6));
}

TEST_CASE("every entry of the gradient equals finite differences in double") {
  BatchNormFixture f;
  f.worker.compute_gradient(f.network, f.batch);
  const std::vector<float> gradient = f.worker.canonical_gradient(f.network);
  for (std::size_t i = 0; i < f.parameters.size(); ++i) {
    const auto loss_at = [&](double move) {
      std::vector<double> moved = f.parameters;
      moved[i] += move;
      return f.reference.loss(moved, f.reference.moments(moved));
    };
    const double h = 1e-6;
    CAPTURE(i);
    CHECK(std::abs(double{gradient[i]} - (loss_at(h) - loss_at(-h)) / (2 * h)) < 1e-6);
  }
}

TEST_CASE("running statistics move a tenth of the way to the batch's mean and unbiased variance") {
  BatchNormFixture f;
  f.worker.compute_gradient(f.network, f.batch);
  const Moments moments = f.reference.moments(f.parameters);
  for (std::size_t c = 0; c < kSmallChannels; ++c) {
    CHECK(std::abs(double{f.worker.running_moments[c]} - 0.1 * moments.mean[c]) < 1e-7);
    CHECK(double{f.worker.running_moments[kSmallChannels + c]} ==
          doctest::Approx(0.9 + 0.1 * unbiased(moments.variance[c])).epsilon(1e-6));
  }
}

TEST_CASE("evaluation normalizes with running statistics, which the same batch makes its own") {
  BatchNormFixture f;
  for (int pass = 0; pass < 200; ++pass) f.worker.compute_gradient(f.network, f.batch);
  Moments moments = f.reference.moments(f.parameters);
  for (std::size_t c = 0; c < kSmallChannels; ++c) {
    moments.variance[c] = unbiased(moments.variance[c]);
    CHECK(std::abs(double{f.worker.running_moments[c]} - moments.mean[c]) < 2e-6);
    CHECK(double{f.worker.running_moments[kSmallChannels + c]} ==
          doctest::Approx(moments.variance[c]).epsilon(2e-6));
  }
  const std::vector<float> before = f.worker.running_moments;
  const Evaluation found = f.network.evaluate(f.batch.all());
  CHECK(found.loss_sum / kSmallImages ==
        doctest::Approx(f.reference.loss(f.parameters, moments)).epsilon(1e-5));
  CHECK(f.worker.running_moments == before);
}
