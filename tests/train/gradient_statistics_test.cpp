#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "comm/workers.h"
#include "core/random.h"
#include "train/local_sgd_fixtures.h"

namespace localbatch {
namespace {

using Gradients = std::vector<std::vector<float>>;

constexpr int kSamplesOfChunk = 8;

/// A worker with a gradient.
class Given final : public Worker {
 public:
  explicit Given(std::span<const float> gradient) : gradient_(gradient) {}
  double local_step(int, double, ChunkGradients*) override { return 0; }
  std::span<float> parameters() override { return {}; }
  std::span<const float> gradient() const override { return gradient_; }
  void sample_gradients(const SampleRequest&, const SampleSums&, std::span<float>) override {}
  void add_averaged_state(std::vector<Averaged>&) override {}
  void finish_synchronization() override {}
  std::vector<TensorView> tensors() const override { return {}; }

 private:
  std::span<const float> gradient_;
};

GradientStatistics measure(const Gradients& gradients, const StatisticsOptions& options = {}) {
  GradientStatistics result;
  const auto processes = single_process();
  run_workers(static_cast<int>(gradients.size()), *processes, [&](Communicator& comm) {
    const std::vector<float>& mine = gradients[static_cast<std::size_t>(comm.worker())];
    const Given worker(mine);
    LocalSgd method = make_method(1, 1, 0.1);
    method.statistics = options;
    method.observer_needs = {.variance = true, .inner_products = true};
    Meter meter(method, comm);
    meter.begin({.local_batch_size = kSamplesOfChunk, .observed = true});
    std::vector<Averaged> averaged;
    meter.add_averaged(worker, averaged);
    comm.exchange({.averaged = averaged});
    const GroupSums sums = sum_over_workers(meter.own_sums({}, {}, {}), comm);
    const RoundStatistics measured = meter.statistics({.gradients = sums});
    if (comm.worker() == 0) result = measured.observed.value();
  });
  return result;
}

Gradients noisy_gradients(int workers, std::size_t size, float signal, float noise) {
  Gradients gradients(static_cast<std::size_t>(workers), std::vector<float>(size));
  for (std::size_t m = 0; m < gradients.size(); ++m) {
    RandomStream random(3, Purpose::kTest, m);
    for (std::size_t i = 0; i < size; ++i)
      gradients[m][i] = signal * std::sin(static_cast<float>(i)) + noise * random.normal();
  }
  return gradients;
}

/// The definitions of gradient_statistics.h, term by term in double.
GradientStatistics brute_force(const Gradients& gradients) {
  const double workers = static_cast<double>(gradients.size());
  const std::size_t size = gradients[0].size();
  std::vector<double> mean(size, 0.0);
  for (const auto& g : gradients)
    for (std::size_t i = 0; i < size; ++i) mean[i] += double{g[i]} / workers;
  double squared_norm = 0;
  for (const double value : mean) squared_norm += value * value;
  double variance = 0, inner = 0, orthogonal = 0;
  for (const auto& g : gradients) {
    double p = 0;
    for (std::size_t i = 0; i < size; ++i) p += double{g[i]} * mean[i];
    inner += (p - squared_norm) * (p - squared_norm);
    for (std::size_t i = 0; i < size; ++i) {
      variance += (double{g[i]} - mean[i]) * (double{g[i]} - mean[i]);
      const double rest = double{g[i]} - p / squared_norm * mean[i];
      orthogonal += rest * rest;
    }
  }
  const double factor = kSamplesOfChunk / (workers - 1);
  return {.num_workers = static_cast<int>(workers),
          .num_chunks = static_cast<int>(workers),
          .global_batch_size = static_cast<std::int64_t>(workers) * kSamplesOfChunk,
          .variance = factor * variance,
          .squared_norm = squared_norm,
          .inner_product_variance = factor * inner,
          .orthogonal_variance = factor * orthogonal};
}

TEST_CASE("the variance between workers equals brute force in double") {
  for (const int workers : {2, 3, 4, 16}) {
    const Gradients gradients = noisy_gradients(workers, 2000, 0.3F, 1.0F);
    const GradientStatistics measured = measure(gradients), expected = brute_force(gradients);
    CHECK(measured.variance == doctest::Approx(expected.variance).epsilon(1e-10));
    // The mean gradient is rounded to f32 once, which shows in its own norm but hardly in
    // distances.
    CHECK(measured.squared_norm == doctest::Approx(expected.squared_norm).epsilon(1e-7));
    CHECK(measured.inner_product_variance ==
          doctest::Approx(expected.inner_product_variance).epsilon(1e-6));
    CHECK(measured.orthogonal_variance ==
          doctest::Approx(expected.orthogonal_variance).epsilon(1e-7));
    CHECK(measured.num_chunks == workers);
    CHECK(measured.global_batch_size == workers * kSamplesOfChunk);
  }
}

TEST_CASE("the standard error of the variance is that of leaving every worker out in turn") {
  for (const bool divide_by_chunks : {false, true})
    for (const int workers : {3, 4, 16}) {
      const Gradients gradients = noisy_gradients(workers, 500, 0.3F, 1.0F);
      std::vector<double> without;
      for (std::size_t left_out = 0; left_out < gradients.size(); ++left_out) {
        Gradients others = gradients;
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(left_out));
        const double factor = divide_by_chunks ? (workers - 2.0) / (workers - 1) : 1;
        without.push_back(factor * brute_force(others).variance);
      }
      const double mean = std::accumulate(without.begin(), without.end(), 0.0) / workers;
      double scatter = 0;
      for (const double variance : without) scatter += (variance - mean) * (variance - mean);
      const GradientStatistics measured =
          measure(gradients, {.divide_by_chunks = divide_by_chunks});
      REQUIRE(measured.variance_standard_error);
      CHECK(*measured.variance_standard_error ==
            doctest::Approx(std::sqrt((workers - 1.0) / workers * scatter)).epsilon(1e-6));
    }
  CHECK_FALSE(measure(noisy_gradients(2, 500, 0.3F, 1.0F)).variance_standard_error);
}

TEST_CASE("variance = inner-product variance / |g|^2 + orthogonal variance, by brute force too") {
  const Gradients gradients = noisy_gradients(5, 300, 1.0F, 0.5F);
  const GradientStatistics expected = brute_force(gradients);
  CHECK(expected.inner_product_variance / expected.squared_norm + expected.orthogonal_variance ==
        doctest::Approx(expected.variance).epsilon(1e-12));
  const GradientStatistics measured = measure(gradients);
  CHECK(measured.inner_product_variance / measured.squared_norm + measured.orthogonal_variance ==
        doctest::Approx(measured.variance).epsilon(1e-12));
}

TEST_CASE("inner products are taken over the whole vector, not part by part") {
  // Two halves whose inner products with the mean cancel: the sum of the halves' variances is
  // large, the variance of their sum is zero.
  const Gradients gradients{{2, 0, 1, 1}, {0, 2, 1, 1}, {1, 1, 2, 0}, {1, 1, 0, 2}};
  const GradientStatistics measured = measure(gradients);
  CHECK(measured.squared_norm == doctest::Approx(4));
  CHECK(measured.inner_product_variance == doctest::Approx(0).epsilon(1e-12));
}

TEST_CASE("options change the divisor and the squared norm and nothing else") {
  const Gradients gradients = noisy_gradients(4, 1000, 0.2F, 1.0F);
  const GradientStatistics plain = measure(gradients);
  const GradientStatistics divided = measure(gradients, {.divide_by_chunks = true});
  CHECK(divided.variance == doctest::Approx(plain.variance * 3 / 4).epsilon(1e-12));
  CHECK(divided.squared_norm == plain.squared_norm);
  const GradientStatistics unbiased = measure(gradients, {.unbiased_squared_norm = true});
  CHECK(unbiased.variance == plain.variance);
  CHECK(
      unbiased.squared_norm ==
      doctest::Approx(plain.squared_norm - plain.variance / (4 * kSamplesOfChunk)).epsilon(1e-12));
}

TEST_CASE("the unbiased squared norm is right on average, the biased one is not") {
  double biased = 0, unbiased = 0, variance = 0;
  constexpr int kTrials = 200;
  constexpr std::size_t kSize = 400;
  for (int trial = 0; trial < kTrials; ++trial) {
    Gradients gradients(4, std::vector<float>(kSize));
    for (std::size_t m = 0; m < gradients.size(); ++m) {
      RandomStream random(11, Purpose::kTest, m, static_cast<std::uint32_t>(trial));
      for (float& value : gradients[m]) value = 0.05F + random.normal();
    }
    biased += measure(gradients).squared_norm / kTrials;
    const GradientStatistics measured = measure(gradients, {.unbiased_squared_norm = true});
    unbiased += measured.squared_norm / kTrials;
    variance += measured.variance / kTrials;
  }
  // |g|^2 = 400 * 0.0025 = 1; its noise is 400/4 = 100; the trace of one sample's covariance is 8 *
  // 400.
  CHECK(biased == doctest::Approx(101).epsilon(0.02));
  CHECK(std::abs(unbiased - 1) < 2);
  CHECK(variance == doctest::Approx(kSamplesOfChunk * 400.0).epsilon(0.02));
}

TEST_CASE("one worker, equal gradients, zero gradients and NaN give defined statistics") {
  const GradientStatistics lone = measure({{1, 2, 3}});
  CHECK(lone.num_chunks == 1);
  CHECK(lone.variance == 0);
  const GradientStatistics equal = measure({{1, 2, 3}, {1, 2, 3}});
  CHECK(equal.variance == 0);
  CHECK(equal.squared_norm == doctest::Approx(14));
  const GradientStatistics zero = measure({{0, 0}, {0, 0}});
  CHECK(zero.variance == 0);
  CHECK(zero.squared_norm == 0);
  CHECK(zero.orthogonal_variance == 0);
  const GradientStatistics broken = measure({{1, NAN}, {1, 1}});
  CHECK(std::isnan(broken.variance));
}

}  // namespace
}  // namespace localbatch
