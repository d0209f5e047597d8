#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/machine.h"
#include "core/yaml.h"
#include "data/dataset.h"
#include "data/markov_text.h"
#include "nn/image_model.h"
#include "train/local_sgd_fixtures.h"
#include "train/network_task.h"

// At one point, with a learning rate of 0, whatever measures the noise of the mean gradient has to
// find the same.

namespace localbatch {
namespace {

constexpr int kStillWorkers = 4, kStillBatch = 16, kStillRounds = 100;

/// Two normalizations with a convolution between them; no groups: batch norm.
ModelFactory make_model(int groups) {
  return {.make =
              [groups](const SampleShape& sample) {
                ImageModel model(sample);
                ValueId x = model.add(
                    "conv1",
                    Convolution{.src = 0, .channels = 16, .kernel = 3, .stride = 2, .padding = 1});
                x = model.add("norm1", Normalization{.src = x, .relu = true, .groups = groups});
                x = model.add(
                    "conv2",
                    Convolution{.src = x, .channels = 32, .kernel = 3, .stride = 2, .padding = 1});
                x = model.add("norm2", Normalization{.src = x, .relu = true, .groups = groups});
                x = model.add("pool", AveragePool{.src = x});
                model.add("fc", Dense{.src = x, .features = 10});
                return std::make_unique<const ImageModel>(model);
              },
          .has_3x3_convolutions = true,
          .has_batch_norm = groups == 0};
}

/// What is trained, on what.
struct Objective {
  DatasetFactory dataset;
  ModelFactory model;
};

Objective of_images(int groups) {
  return {.dataset = default_part(dataset_table(), "synthetic"), .model = make_model(groups)};
}

/// A decoder on windows that are drawn independently.
Objective of_tokens() {
  const auto part = [](auto make, const char* keys) {
    const Node mapping = parse_yaml(keys, "test");
    Options options(mapping);
    return make(options);
  };
  return {.dataset = part(make_markov_text,
                          "{train_tokens: 20000, test_tokens: 40, sequence_length: 16, "
                          "windows: random}"),
          .model = part(make_llama, "{layers: 1, width: 32, heads: 4, key_value_heads: 2}")};
}

std::vector<RoundRecord> rounds_at_one_point(const Objective& objective,
                                             const StatisticsOptions& statistics, int micro_batch) {
  const bool batch_norm = objective.model.has_batch_norm;
  const WorkerSettings workers{.num_workers = kStillWorkers,
                               .seed = 5,
                               .inner_optimizer = default_part(inner_optimizer_table(), "sgd")};
  NetworkTask task({.dataset = objective.dataset,
                    .augmentation = {},
                    .model = objective.model,
                    .micro_batch = micro_batch},
                   workers);
  task.allocate(kStillWorkers, available_cores());
  LocalSgd method =
      make_method(std::int64_t{kStillRounds} * kStillWorkers * kStillBatch, 1, /*learning_rate=*/0);
  method.num_workers = kStillWorkers;
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  method.limits.monotone = false;
  method.limits.min = method.limits.max = kStillBatch;
  method.statistics = statistics;
  method.audit = {
      .every_rounds = 1, .samples = 128, .inner_products = false, .samples_in_batch = batch_norm};
  std::vector<RoundRecord> rounds;
  const auto processes = single_process();
  run_workers(kStillWorkers, *processes, [&](Communicator& comm) {
    const std::unique_ptr<TrainingWorker> worker = task.make_worker(comm);
    LoopOfWorker loop(method, *worker, make_averaging(), comm, kStillBatch);
    CHECK(loop.run() == Outcome::kFinished);
    if (comm.worker() == 0) rounds = loop.observer.rounds;
  });
  REQUIRE(rounds.size() == kStillRounds);
  return rounds;
}

struct Mean {
  double value = 0, error = 0;
};

template <class Value>
Mean mean_of(const std::vector<RoundRecord>& rounds, const Value& value) {
  const double n = static_cast<double>(rounds.size());
  Mean mean;
  for (const RoundRecord& round : rounds) mean.value += value(round) / n;
  for (const RoundRecord& round : rounds)
    mean.error += (value(round) - mean.value) * (value(round) - mean.value) / (n * (n - 1));
  mean.error = std::sqrt(mean.error);
  return mean;
}

/// Within three standard errors, of which the larger of both must be small for this to say much.
void check_equal(const Mean& x, const Mean& y, double scale) {
  CAPTURE(x.value);
  CAPTURE(x.error);
  CAPTURE(y.value);
  CAPTURE(y.error);
  CHECK(std::abs(x.value - y.value) < 3 * std::hypot(x.error, y.error));
  CHECK(std::max(x.error, y.error) < 0.1 * scale);
}

void check_agreement(const std::vector<RoundRecord>& rounds) {
  const Mean variance = mean_of(rounds, [](const auto& r) { return r.statistics->variance; });
  check_equal(variance, mean_of(rounds, [](const auto& r) { return r.audit->exact.variance; }),
              variance.value);
  const double noise = variance.value / (kStillWorkers * kStillBatch);
  check_equal(mean_of(rounds, [](const auto& r) { return r.statistics->unbiased_squared_norm; }),
              mean_of(rounds, [](const auto& r) { return r.audit->exact.unbiased_squared_norm; }),
              noise);
  check_equal(mean_of(rounds, [](const auto& r) { return r.statistics->squared_norm; }),
              mean_of(rounds, [](const auto& r) { return r.audit->exact.squared_norm; }), noise);
}

TEST_CASE("at one point workers, micro-batches and audits find the same noise, for both norms") {
  for (const int groups : {0, 8})
    for (const Chunks chunks : {Chunks::kWorkers, Chunks::kMicroBatches}) {
      CAPTURE(groups);
      CAPTURE(static_cast<int>(chunks));
      const int micro_batch = chunks == Chunks::kWorkers ? kStillBatch : kStillBatch / 2;
      const std::vector<RoundRecord> rounds =
          rounds_at_one_point(of_images(groups), {.chunks = chunks}, micro_batch);
      check_agreement(rounds);
      for (const RoundRecord& round : rounds) {
        CHECK(round.audit->samples == 128);
        CHECK(round.audit->samples_each == (groups == 0 ? micro_batch : 1));
      }
    }
}

TEST_CASE("without batch norm single samples of the local batch find the same noise, too") {
  check_agreement(rounds_at_one_point(of_images(8), {.chunks = Chunks::kSamples}, kStillBatch));
  check_agreement(rounds_at_one_point(
      of_images(8), {.chunks = Chunks::kSamples, .own_gradients = true}, kStillBatch));
}

TEST_CASE("at one point of a decoder all find the same noise, and so do gradients of sequences") {
  check_agreement(rounds_at_one_point(of_tokens(), {.chunks = Chunks::kWorkers}, kStillBatch));
  check_agreement(
      rounds_at_one_point(of_tokens(), {.chunks = Chunks::kMicroBatches}, kStillBatch / 2));
  check_agreement(rounds_at_one_point(of_tokens(), {.chunks = Chunks::kSamples}, kStillBatch));
}

TEST_CASE(
    "samples of a micro-batch taken for independent ones find another noise under batch norm") {
  const std::vector<RoundRecord> rounds =
      rounds_at_one_point(of_images(0), {.chunks = Chunks::kWorkers}, kStillBatch);
  const Mean variance = mean_of(rounds, [](const auto& r) { return r.statistics->variance; });
  const Mean in_batch =
      mean_of(rounds, [](const auto& r) { return r.audit->samples_in_batch->variance.value; });
  const Mean error =
      mean_of(rounds, [](const auto& r) { return r.audit->samples_in_batch->variance.error; });
  CAPTURE(variance.value);
  CAPTURE(in_batch.value);
  CHECK(in_batch.value > 1.2 * variance.value);
  CHECK(error.value < 0.2 * in_batch.value);
  // What is left of the squared norm without "its noise" cannot be that of any gradient.
  CHECK(mean_of(rounds,
                [](const auto& r) { return r.audit->samples_in_batch->unbiased_squared_norm; })
            .value < mean_of(
                         rounds, [](const auto& r) { return r.audit->exact.unbiased_squared_norm; })
                         .value);
}

}  // namespace
}  // namespace localbatch
