#include <doctest/doctest.h>

#include <cmath>

#include "core/machine.h"
#include "data/markov_text.h"
#include "train/bigram.h"
#include "train/local_sgd_fixtures.h"
#include "train/network_task.h"

// A text whose entropy rate is known, by the loop that trains every network.

namespace localbatch {
namespace {

constexpr int kSymbols = 16, kTextWorkers = 2, kTextSeed = 3;
constexpr std::int64_t kSamples = 4000;

/// The test loss of a bigram model after 200,000 tokens of a chain of this order.
double trained_loss(int order) {
  const MarkovSettings text{
      .symbols = kSymbols, .order = order, .train_tokens = 200'000, .test_tokens = 20'001};
  Options keys = Options::describing();
  NetworkSettings settings;
  settings.dataset = windows_of([text] { return generate_markov_text(text); }, {.length = 50},
                                read_partition_without_classes(keys));
  settings.model.make = [](const SampleShape& sample) {
    return std::make_unique<BigramModel>(sample);
  };
  settings.micro_batch = 16;
  NetworkTask task(settings, {.num_workers = kTextWorkers,
                              .seed = kTextSeed,
                              .inner_optimizer = default_part(inner_optimizer_table(), "sgd")});
  task.allocate(kTextWorkers, available_cores());
  LocalSgd method = make_method(kSamples, 4, 0);
  method.learning_rate.rate = [](std::int64_t samples, std::int64_t) {
    return 160.0 * (1 - static_cast<double>(samples) / kSamples);
  };
  method.num_workers = kTextWorkers;
  double loss = 0;
  const auto processes = single_process();
  run_workers(kTextWorkers, *processes, [&](Communicator& comm) {
    const std::unique_ptr<TrainingWorker> worker = task.make_worker(comm);
    LoopOfWorker loop(method, *worker, make_averaging(), comm, 8);
    REQUIRE(loop.run() == Outcome::kFinished);
    const TestResult after = worker->evaluate(comm);
    if (comm.worker() == 0) loss = after.loss;
  });
  return loss;
}

}  // namespace

TEST_CASE("a model that sees enough comes close to the entropy rate of a text, and not below it") {
  const double rate = markov_entropy_rate(kSymbols);
  const double loss = trained_loss(1);
  CHECK(loss < 1.02 * rate);
  // What the test text says by chance: -ln p has a deviation of 1.6 nats, its mean over 20,000 one
  // of 0.012.
  CHECK(loss > rate - 0.036);
}

TEST_CASE("a model of pairs learns nothing of a text whose tokens depend on two") {
  CHECK(std::abs(trained_loss(2) - std::log(kSymbols)) < 0.05);
}

}  // namespace localbatch
