#include "train/bigram.h"

#include <doctest/doctest.h>

#include "core/machine.h"
#include "core/state.h"
#include "train/local_sgd_fixtures.h"
#include "train/network_task.h"

// A data set and a model that are no images come in without a change to the library.

namespace localbatch {
namespace {

constexpr int kWindow = 5, kSeed = 3;

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

NetworkSettings bigram_settings(const std::string& partition = "iid") {
  Options keys = Options::describing();
  NetworkSettings settings;
  settings.dataset.load = [](const Augmentation&) {
    return std::make_unique<TextWindows>(repeated("we train on text, byte by byte. ", 40),
                                         "a text, byte by byte, on we train. ", kWindow);
  };
  for (const PartRow<Partition>& row : partition_table())
    if (row.name == partition) settings.dataset.partition = row.make(keys);
  settings.model.make = [](const SampleShape& sample) {
    return std::make_unique<BigramModel>(sample);
  };
  settings.micro_batch = 8;
  return settings;
}

WorkerSettings worker_settings(int workers) {
  WorkerSettings settings{.num_workers = workers,
                          .seed = kSeed,
                          .inner_optimizer = default_part(inner_optimizer_table(), "sgd")};
  settings.inner_optimizer.at_sync = StatePolicy::kAverage;
  return settings;
}

/// A method that looks at the gradients of single samples and lets the batch grow.
LocalSgd bigram_method(int workers) {
  LocalSgd method = make_method(6000, 4, 4.0);
  method.num_workers = workers;
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  method.limits.max = 40;
  method.statistics.chunks = Chunks::kSamples;
  return method;
}

using States = std::vector<std::vector<std::byte>>;

struct Trained {
  Outcome outcome = Outcome::kFinished;
  std::vector<RoundRecord> rounds;
  FinalModel model;
  TestResult before, after;
  States states;  ///< by worker
};

void visit_all(StateVisitor& visitor, LoopOfWorker& loop, TrainingWorker& worker) {
  visit_state(visitor, loop.at);
  loop.meter.visit_state(visitor);
  loop.all_workers.visit_common_state(visitor);
  loop.all_workers.visit_own_state(visitor);
  worker.visit_state(visitor);
}

/// Goes on from `states`, unless there are none, and stops after so many rounds of the run.
Trained train(int workers, std::int64_t rounds, const States& states = {}) {
  NetworkTask task(bigram_settings(), worker_settings(workers));
  task.allocate(workers, available_cores());
  const LocalSgd method = bigram_method(workers);
  Trained trained;
  trained.states.resize(static_cast<std::size_t>(workers));
  const auto processes = single_process();
  run_workers(workers, *processes, [&](Communicator& comm) {
    const auto index = static_cast<std::size_t>(comm.worker());
    const std::unique_ptr<TrainingWorker> worker = task.make_worker(comm);
    LoopOfWorker loop(method, *worker, make_averaging(), comm, 4);
    if (!states.empty()) {
      StateReader reader(states[index]);
      visit_all(reader, loop, *worker);
      reader.finish();
    }
    const TestResult before = worker->evaluate(comm);
    loop.observer.requests = [&] { return Request{.stop = loop.at.round + 1 >= rounds}; };
    const Outcome outcome = loop.run();
    StateWriter writer;
    visit_all(writer, loop, *worker);
    trained.states[index] = writer.take();
    const TestResult after = worker->evaluate(comm);
    const FinalModel model = worker->final_model(comm);
    if (comm.worker() != 0) return;
    trained.outcome = outcome;
    trained.rounds = loop.observer.rounds;
    trained.model = model;
    trained.before = before;
    trained.after = after;
  });
  return trained;
}

constexpr std::int64_t kNever = 1'000'000;

}  // namespace

TEST_CASE("a bigram model on bytes learns what follows, by the same loop as a network on images") {
  for (const int workers : {2, 4}) {
    CAPTURE(workers);
    const Trained trained = train(workers, kNever);
    CHECK(trained.outcome == Outcome::kFinished);
    CHECK(trained.before.loss == doctest::Approx(std::log(256.0)));
    CHECK(trained.after.loss < 2);
    // Every token of every window of the test set is one that can be right.
    CHECK(trained.after.tokens == 30 * kWindow);
    CHECK_FALSE(trained.after.images);
    CHECK(trained.after.bytes_per_token == 1);
    CHECK(2 * trained.after.correct.value() > trained.after.tokens.value());
    CHECK(trained.rounds.front().statistics.has_value());
    CHECK(trained.rounds.back().local_batch_size > trained.rounds.front().local_batch_size);
    REQUIRE(trained.model.tensors.size() == 1);
    CHECK(trained.model.tensors.front().name == "bigram.weight");
  }
}

TEST_CASE("a bigram model that is interrupted ends with the same bytes") {
  constexpr int kWorkers = 3;
  const Trained whole = train(kWorkers, kNever);
  const Trained begun = train(kWorkers, 7);
  CHECK(begun.outcome == Outcome::kStopped);
  CHECK(begun.rounds.size() == 7);
  CHECK(begun.model.values != whole.model.values);
  const Trained resumed = train(kWorkers, kNever, begun.states);
  CHECK(resumed.rounds.size() == whole.rounds.size() - 7);
  CHECK(resumed.model.values == whole.model.values);
  CHECK(resumed.states == whole.states);
}

TEST_CASE("a task on text says what it is made of") {
  const NetworkTask task(bigram_settings(), worker_settings(2));
  const TaskFacts facts = task.facts();
  CHECK(facts.parameters == kBytes * kBytes);
  CHECK(facts.running_moments == 0);
  CHECK(facts.summary == "1275 training and 30 test windows");
  CHECK(facts.epoch_samples == 1275);
  CHECK(task.data_checksum() != 0);
}

TEST_CASE("parts that are for images refuse text, and text has no classes to share out") {
  NetworkSettings settings = bigram_settings();
  int refused = 0;
  for (const PartRow<ModelFactory>& row : model_table()) {
    if (row.name == "llama" || row.name == "gpt") continue;
    CAPTURE(row.name);
    Options keys = Options::describing();
    settings.model = row.make(keys);
    CHECK_THROWS_AS(NetworkTask(settings, worker_settings(2)), InputError);
    ++refused;
  }
  CHECK(refused == 3);
  CHECK_THROWS_AS(NetworkTask(bigram_settings("by_class"), worker_settings(2)), InputError);
}

}  // namespace localbatch
