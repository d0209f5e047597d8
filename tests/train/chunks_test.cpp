#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "train/local_sgd_fixtures.h"

// All kinds of chunks against the true variance of Gaussian gradients.

namespace localbatch {
namespace {

constexpr int kFourWorkers = 4, kChunkedBatch = 8;
constexpr std::size_t kTargetSize = 100;
constexpr double kVariance = 4.0 * kTargetSize;      // 2^2 in each coordinate
constexpr double kSquaredNorm = 0.25 * kTargetSize;  // 0.5^2

/// A gradient that is the same everywhere, so that its statistics are too.
QuadraticWorker::Problem constant_gradient(std::uint64_t seed) {
  return {.target = std::vector<float>(kTargetSize, -0.5F),
          .noise = 2,
          .seed = seed,
          .micro_batch = 2,
          .curvature = 0};
}

LocalSgd make_measuring(const StatisticsOptions& options, int rounds, int H) {
  LocalSgd method = make_method(std::int64_t{rounds} * H * kFourWorkers * kChunkedBatch, H, 0.01);
  method.controller = default_part(batch_size_controller_table(), "inner_product_test");
  method.limits.max = kChunkedBatch;
  method.limits.monotone = false;
  method.limits.min = kChunkedBatch;
  method.statistics = options;
  return method;
}

struct Moments {
  double mean = 0, error = 0;
};

Moments moments(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  Moments result;
  for (const double value : values) result.mean += value / n;
  for (const double value : values)
    result.error += (value - result.mean) * (value - result.mean) / (n * (n - 1));
  result.error = std::sqrt(result.error);
  return result;
}

Moments observed(const std::vector<RoundRecord>& rounds, double GradientStatistics::*field) {
  std::vector<double> values;
  for (const RoundRecord& round : rounds) {
    REQUIRE(round.statistics.has_value());
    values.push_back((*round.statistics).*field);
  }
  return moments(values);
}

void check_near(const Moments& seen, double expected) {
  CAPTURE(seen.mean);
  CAPTURE(seen.error);
  CAPTURE(expected);
  CHECK(std::abs(seen.mean - expected) < 3 * seen.error);
  CHECK(seen.error < 0.05 * expected);  // else the line above says little
}

constexpr int kManyRounds = 400;

TEST_CASE("every kind of chunks finds the variance and the squared norm of Gaussian gradients") {
  for (const Chunks chunks :
       {Chunks::kWorkers, Chunks::kMicroBatches, Chunks::kSamples, Chunks::kDelta}) {
    CAPTURE(static_cast<int>(chunks));
    const Run biased = run(make_measuring({.chunks = chunks}, kManyRounds, 3), constant_gradient(3),
                           kFourWorkers, kChunkedBatch);
    check_near(observed(biased.rounds, &GradientStatistics::variance), kVariance);
    check_near(observed(biased.rounds, &GradientStatistics::squared_norm),
               kSquaredNorm + kVariance / (kFourWorkers * kChunkedBatch));
    check_near(observed(biased.rounds, &GradientStatistics::unbiased_squared_norm), kSquaredNorm);
    const Run unbiased =
        run(make_measuring({.chunks = chunks, .unbiased_squared_norm = true}, kManyRounds, 3),
            constant_gradient(3), kFourWorkers, kChunkedBatch);
    check_near(observed(unbiased.rounds, &GradientStatistics::squared_norm), kSquaredNorm);
  }
}

TEST_CASE("a worker's own gradient has the same statistics where all stand at one point") {
  for (const Chunks chunks : {Chunks::kMicroBatches, Chunks::kSamples}) {
    CAPTURE(static_cast<int>(chunks));
    const Run own = run(make_measuring({.chunks = chunks, .own_gradients = true}, kManyRounds, 3),
                        constant_gradient(3), kFourWorkers, kChunkedBatch);
    check_near(observed(own.rounds, &GradientStatistics::variance), kVariance);
    check_near(observed(own.rounds, &GradientStatistics::squared_norm),
               kSquaredNorm + kVariance / (kFourWorkers * kChunkedBatch));
    check_near(observed(own.rounds, &GradientStatistics::unbiased_squared_norm), kSquaredNorm);
  }
}

TEST_CASE(
    "|g|^2 is that of the mean over workers for every kind of chunks, unless it is one's own") {
  // Workers on opposite slopes of a valley without noise: their mean gradient vanishes.
  const auto squared_norm_of = [](const StatisticsOptions& options) {
    QuadraticWorker::Problem problem{.target = std::vector<float>(kTargetSize, 0.5F),
                                     .micro_batch = 2,
                                     .slopes_by_worker = true};
    const Run seen = run(make_measuring(options, 1, 1), problem, kFourWorkers, kChunkedBatch);
    return seen.rounds.at(0).statistics->squared_norm;
  };
  for (const Chunks chunks :
       {Chunks::kWorkers, Chunks::kMicroBatches, Chunks::kSamples, Chunks::kDelta}) {
    CAPTURE(static_cast<int>(chunks));
    CHECK(squared_norm_of({.chunks = chunks}) == doctest::Approx(0).epsilon(1e-9));
  }
  for (const Chunks chunks : {Chunks::kMicroBatches, Chunks::kSamples})
    CHECK(squared_norm_of({.chunks = chunks, .own_gradients = true}) ==
          doctest::Approx(kSquaredNorm));
}

TEST_CASE("divisor J makes the variance too small by (J - groups)/J, for every kind of chunks") {
  const auto mean_of = [](Chunks chunks) {
    const StatisticsOptions options{.chunks = chunks, .divide_by_chunks = true};
    return observed(run(make_measuring(options, kManyRounds, 2), constant_gradient(5), kFourWorkers,
                        kChunkedBatch)
                        .rounds,
                    &GradientStatistics::variance);
  };
  check_near(mean_of(Chunks::kWorkers), kVariance * 3 / 4);
  check_near(mean_of(Chunks::kMicroBatches), kVariance * 3 / 4);  // 4 workers of 4 chunks of 2
  check_near(mean_of(Chunks::kSamples), kVariance * 7 / 8);
  check_near(mean_of(Chunks::kDelta), kVariance * 3 / 4);
}

TEST_CASE("displacements tell the variance with momentum, kept or reset") {
  QuadraticWorker::Problem problem = constant_gradient(7);
  problem.momentum = 0.9F;
  LocalSgd method = make_measuring({.chunks = Chunks::kDelta}, 300, 4);
  method.inner_steps = LinearSteps{.momentum = 0.9};
  std::vector<RoundRecord> rounds = run(method, problem, kFourWorkers, kChunkedBatch).rounds;
  check_near(observed(rounds, &GradientStatistics::variance), kVariance);
  // Neighbouring rounds share velocities, so the squared norm's error is larger than it looks.
  const Moments norm = observed(rounds, &GradientStatistics::unbiased_squared_norm);
  CHECK(norm.mean == doctest::Approx(kSquaredNorm).epsilon(0.05));
}

TEST_CASE("at the first step all workers stand at one point, at the last one drift is variance") {
  // Curvature and little noise: the workers' gradients differ because the workers do.
  QuadraticWorker::Problem problem{.target = std::vector<float>(kTargetSize, 1),
                                   .noise = 0.1F,
                                   .seed = 9,
                                   .micro_batch = 4,
                                   .curvature = 10};
  const auto variance = [&](Chunks chunks, bool first) {
    StatisticsOptions options{.chunks = chunks, .at_first_step = first};
    return observed(
        run(make_measuring(options, 200, 8), problem, kFourWorkers, kChunkedBatch).rounds,
        &GradientStatistics::variance);
  };
  const double expected = 0.01 * kTargetSize;
  check_near(variance(Chunks::kWorkers, true), expected);
  check_near(variance(Chunks::kMicroBatches, true), expected);
  check_near(variance(Chunks::kMicroBatches, false), expected);
  check_near(variance(Chunks::kSamples, false), expected);
  // method.md 2.5: too large by (b/(M-1)) sum |grad F(x_m) - mean|^2.
  CHECK(variance(Chunks::kWorkers, false).mean > 1.02 * expected);
}

TEST_CASE("a listener to micro-batches finds what brute force over stored gradients finds") {
  for (const int micro_batches : {2, 5, 16, 40}) {
    CAPTURE(micro_batches);
    const std::size_t size = 300;
    const int b = 3 * micro_batches + 1;  // one micro-batch has four images
    ChunkGradients chunks(/*inner_products=*/true), norms(/*inner_products=*/false);
    chunks.begin(b, micro_batches);
    norms.begin(b, micro_batches);
    std::vector<std::vector<double>> gradients;
    std::vector<int> images;
    std::vector<float> sum(size);
    RandomStream random(13, Purpose::kTest);
    for (int i = 0; i < micro_batches; ++i) {
      images.push_back(i == 0 ? 4 : 3);
      std::vector<double>& mine = gradients.emplace_back(size);
      for (std::size_t j = 0; j < size; ++j) {
        mine[j] = 0.3 + double{random.normal()};
        sum[j] += static_cast<float>(mine[j] * images.back() / b);
      }
      chunks.add(images.back(), sum);
      norms.add(images.back(), sum);
    }
    // The definition of GroupSums over stretches of micro-batches, with the worker's own mean
    // gradient and with a mean over four workers.
    std::vector<float> mean_of_all(size);
    for (std::size_t j = 0; j < size; ++j) mean_of_all[j] = sum[j] / 2 + 0.1F;
    const int count = std::min(ChunkGradients::kMaxChunks, micro_batches);
    for (const bool own : {true, false}) {
      CAPTURE(own);
      const std::vector<float>& direction = own ? sum : mean_of_all;
      const int workers = own ? 1 : 4;
      GroupSums expected{.groups = 1,
                         .chunks = static_cast<double>(count),
                         .squared_norm = squared_norm(direction) / workers,
                         .inverse_samples = 1.0 / (b * workers * workers)};
      for (int chunk = 0; chunk < count; ++chunk) {
        std::vector<double> mean(size);
        double n = 0;
        for (int i = micro_batches * chunk / count; i < micro_batches * (chunk + 1) / count; ++i) {
          n += images[static_cast<std::size_t>(i)];
          for (std::size_t j = 0; j < size; ++j)
            mean[j] +=
                gradients[static_cast<std::size_t>(i)][j] * images[static_cast<std::size_t>(i)];
        }
        double along = 0;
        for (std::size_t j = 0; j < size; ++j) {
          const double distance = mean[j] / n - double{sum[j]};
          expected.deviation_squares += n * distance * distance;
          along += distance * double{direction[j]};
        }
        expected.inner_product_squares += n * along * along;
      }
      expected.scaled_inner_product_squares =
          expected.inner_product_squares / squared_norm(direction);
      const GroupSums found = own ? chunks.sums() : chunks.sums(mean_of_all, workers);
      for (const auto field : kGroupSumFields)
        CHECK(found.*field == doctest::Approx(expected.*field).epsilon(1e-4));
      CHECK((own ? norms.sums() : norms.sums(mean_of_all, workers)).deviation_squares ==
            found.deviation_squares);
    }
  }
}

}  // namespace
}  // namespace localbatch
