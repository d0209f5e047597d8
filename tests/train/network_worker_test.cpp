#include "train/network_worker.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "comm/workers.h"
#include "core/options.h"
#include "core/random.h"
#include "core/vector_math.h"
#include "data/resident_images.h"
#include "nn/image_model.h"

namespace localbatch {
namespace {

ResidentImages make_dataset(std::uint32_t train_images, std::uint32_t test_images) {
  const ImageFormat format{.shape = {3, 8, 8},
                           .num_classes = 4,
                           .mean = {0.5F, 0.5F, 0.5F},
                           .stddev = {0.3F, 0.3F, 0.3F}};
  const auto random_set = [&](std::uint32_t images, std::uint64_t seed) {
    ImageSet set;
    RandomStream random(seed, Purpose::kTest);
    for (std::uint32_t i = 0; i < images; ++i)
      set.labels.push_back(static_cast<Label>(random.below(4)));
    for (std::size_t i = 0; i < images * format.shape.size(); ++i)
      set.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    return set;
  };
  return {format, random_set(train_images, 1), random_set(test_images, 2), {}};
}

ImageModel make_mlp_model() {
  ImageModel model({3, 8, 8});
  const ValueId hidden = model.add("fc1", Dense{.src = 0, .features = 20});
  const ValueId relu = model.add("relu1", Relu{.src = hidden});
  model.add("fc", Dense{.src = relu, .features = 4});
  return model;
}

ImageModel make_batch_norm_model() {
  ImageModel model({3, 8, 8});
  ValueId x = model.add("conv1", Convolution{.src = 0, .channels = 16, .kernel = 3, .padding = 1});
  x = model.add("bn1", Normalization{.src = x, .relu = true});
  x = model.add("avgpool", AveragePool{.src = x});
  model.add("fc", Dense{.src = x, .features = 4});
  return model;
}

InnerOptimizerFactory make_sgd(std::string_view momentum, StatePolicy at_sync) {
  Node node;
  node.entries.push_back({.key = "momentum", .key_location = {}, .value = {}});
  node.entries[0].value.kind = Node::Kind::kScalar;
  node.entries[0].value.scalar = momentum;
  Options options(node);
  InnerOptimizerFactory choice = inner_optimizer_table()[0].make(options);
  choice.at_sync = at_sync;
  return choice;
}

struct WorkerCase {
  ImageModel model = make_mlp_model();
  int workers = 1;
  int micro_batch = 64;
  int slots = 1;
  std::optional<Shares> shares = {};
  std::string_view momentum = "0";
  StatePolicy optimizer_at_sync = StatePolicy::kKeep;
  BatchNormAtSync batch_norm_at_sync = {.policy = BatchNormAtSync::Policy::kLocal};
  int threads = 1;
  double clip_norm = 0;
  std::int64_t max_test_samples = 0;
};

/// Runs `body` on every worker of a small problem without augmentation.
template <class Body>
void with_workers(const WorkerCase& test, const Dataset& dataset, const Body& body) {
  SlotPool slots(test.model, {.max_samples = test.micro_batch, .threads = test.threads},
                 test.slots);
  TrainingSetup setup{.dataset = dataset,
                      .shares = test.shares,
                      .model = test.model,
                      .micro_batch = test.micro_batch,
                      .seed = 5,
                      .inner_optimizer = make_sgd(test.momentum, test.optimizer_at_sync),
                      .batch_norm_at_sync = test.batch_norm_at_sync};
  setup.inner_optimizer.clip_norm = test.clip_norm;
  setup.max_test_samples = test.max_test_samples;
  const auto processes = single_process();
  run_workers(test.workers, *processes, [&](Communicator& comm) {
    NetworkWorker worker(setup, slots, comm.worker(), comm.num_workers());
    body(worker, comm);
  });
}

void synchronize_state(NetworkWorker& worker, Communicator& comm) {
  std::vector<Averaged> averaged;
  worker.add_averaged_state(averaged);
  comm.exchange({.averaged = averaged});
  worker.finish_synchronization();
}

std::vector<float> parameters_after(const WorkerCase& test, int local_batch_size, int rounds,
                                    int H) {
  const ResidentImages dataset = make_dataset(101, 10);
  std::vector<float> result;
  with_workers(test, dataset, [&](NetworkWorker& worker, Communicator& comm) {
    for (int round = 0; round < rounds; ++round) {
      for (int h = 0; h < H; ++h) worker.local_step(local_batch_size, 0.1);
      comm.average(worker.parameters(), worker.parameters(), Traffic::kParameters);
      synchronize_state(worker, comm);
    }
    if (comm.worker() == 0) result.assign(worker.parameters().begin(), worker.parameters().end());
  });
  return result;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(double{a[i]} - double{b[i]}));
  return largest;
}

TEST_CASE("micro-batches of 16, 32 and 64 give the same step without batch norm, to rounding") {
  const auto of_micro_batch = [](int micro_batch) {
    return parameters_after({.micro_batch = micro_batch}, 100, 3, 1);
  };
  const std::vector<float> whole = of_micro_batch(100);
  for (const int micro_batch : {16, 32, 64})
    CHECK(largest_difference(of_micro_batch(micro_batch), whole) < 1e-6);
  CHECK(largest_difference(parameters_after({.micro_batch = 100}, 99, 3, 1), whole) > 1e-4);
}

TEST_CASE("batch norm sees micro-batches of equal size, not a few images that are left over") {
  const auto of_micro_batch = [](int micro_batch) {
    return parameters_after({.model = make_batch_norm_model(), .micro_batch = micro_batch}, 65, 1,
                            1);
  };
  // 65 = 33 + 32 under either limit.
  const std::vector<float> halves = of_micro_batch(33);
  CHECK(largest_difference(of_micro_batch(64), halves) < 1e-6);
  CHECK(largest_difference(of_micro_batch(65), halves) > 1e-5);
}

TEST_CASE("local batches that change at every step have the gradients of batches in one piece") {
  const ResidentImages dataset = make_dataset(101, 10);
  const auto gradients_of = [&](int micro_batch) {
    std::vector<std::vector<float>> gradients;
    with_workers({.micro_batch = micro_batch}, dataset, [&](NetworkWorker& worker, Communicator&) {
      for (const int b : {7, 64, 33, 1, 128, 32, 96, 31, 65}) {
        worker.local_step(b, 0.1);
        gradients.emplace_back(worker.gradient().begin(), worker.gradient().end());
      }
    });
    return gradients;
  };
  const auto pieces = gradients_of(32), whole = gradients_of(128);
  REQUIRE(pieces.size() == 9);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    CAPTURE(i);
    CHECK(largest_difference(pieces[i], whole[i]) < 1e-6);
    if (i > 0) CHECK(largest_difference(pieces[i], whole[i - 1]) > 1e-2);
  }
}

TEST_CASE("H = 1 with plain SGD on four workers is one worker with the pooled batch, to rounding") {
  const std::vector<float> pooled = parameters_after({}, 32, 6, 1);
  const std::vector<float> four = parameters_after({.workers = 4}, 8, 6, 1);
  CHECK(largest_difference(pooled, four) < 1e-6);
  const std::vector<float> local = parameters_after({.workers = 4}, 8, 3, 2);
  CHECK(largest_difference(pooled, local) > 1e-5);
}

TEST_CASE("averaged momentum keeps four workers equal to one with the pooled batch") {
  const WorkerCase one{.momentum = "0.9"};
  WorkerCase four{.workers = 4, .momentum = "0.9", .optimizer_at_sync = StatePolicy::kAverage};
  const std::vector<float> pooled = parameters_after(one, 32, 6, 1);
  CHECK(largest_difference(pooled, parameters_after(four, 8, 6, 1)) < 2e-6);
  four.optimizer_at_sync = StatePolicy::kReset;
  CHECK(largest_difference(pooled, parameters_after(four, 8, 6, 1)) > 1e-4);
}

TEST_CASE("the number of execution slots does not change a bit") {
  WorkerCase test{.workers = 5, .slots = 1};
  const std::vector<float> one_slot = parameters_after(test, 8, 2, 3);
  test.slots = 4;
  CHECK(parameters_after(test, 8, 2, 3) == one_slot);
}

TEST_CASE("batch-norm statistics follow their policy at a synchronization") {
  const ResidentImages dataset = make_dataset(64, 10);
  const auto statistics_after = [&](BatchNormAtSync::Policy policy) {
    std::vector<std::vector<float>> all(3);
    with_workers(
        {.model = make_batch_norm_model(), .workers = 3, .batch_norm_at_sync = {.policy = policy}},
        dataset, [&](NetworkWorker& worker, Communicator& comm) {
          worker.local_step(8, 0.1);
          synchronize_state(worker, comm);
          all[static_cast<std::size_t>(comm.worker())].assign(worker.running_moments().begin(),
                                                              worker.running_moments().end());
        });
    return all;
  };
  const auto kept = statistics_after(BatchNormAtSync::Policy::kLocal);
  CHECK(kept[0] != kept[1]);
  const auto averaged = statistics_after(BatchNormAtSync::Policy::kAverage);
  CHECK(averaged[0] == averaged[1]);
  CHECK(averaged[0] == averaged[2]);
  CHECK(double{averaged[0][0]} ==
        doctest::Approx((double{kept[0][0]} + double{kept[1][0]} + double{kept[2][0]}) / 3));
}

TEST_CASE("reset statistics are those of the round until the next one begins, and then initial") {
  const ResidentImages dataset = make_dataset(64, 10);
  struct Seen {
    std::vector<float> mean;               ///< that an evaluation takes after the first round
    std::vector<float> own, after_a_step;  ///< of worker 1
  };
  const auto seen_with = [&](BatchNormAtSync::Policy policy) {
    Seen seen;
    with_workers(
        {.model = make_batch_norm_model(), .workers = 3, .batch_norm_at_sync = {.policy = policy}},
        dataset, [&](NetworkWorker& worker, Communicator& comm) {
          const auto copy = [&] {
            return std::vector(worker.running_moments().begin(), worker.running_moments().end());
          };
          worker.local_step(8, 0.1);
          synchronize_state(worker, comm);
          const std::vector<float> mean = worker.evaluated_moments(comm), own = copy();
          worker.local_step(8, 0.1);
          if (comm.worker() == 1) seen = {mean, own, copy()};
        });
    return seen;
  };
  const Seen keep = seen_with(BatchNormAtSync::Policy::kLocal),
             reset = seen_with(BatchNormAtSync::Policy::kReset);
  CHECK(reset.mean == keep.mean);
  for (std::size_t i = 0; i < 16; ++i) CHECK(keep.mean[i] != 0.0F);
  // A step turns s into 0.9 s + 0.1 (of the batch), and the parameters do not depend on s.
  for (std::size_t i = 0; i < keep.own.size(); ++i) {
    const double initial = i < 16 ? 0 : 1;
    CHECK(double{keep.after_a_step[i]} - double{reset.after_a_step[i]} ==
          doctest::Approx(0.9 * (double{keep.own[i]} - initial)).epsilon(1e-4));
  }
}

TEST_CASE("recomputed statistics are those of training images, whatever the workers have seen") {
  const ResidentImages dataset = make_dataset(64, 10);
  const auto recomputed = [&](int workers, int steps, int batches) {
    std::vector<float> found;
    with_workers(
        {.model = make_batch_norm_model(),
         .workers = workers,
         .micro_batch = 16,
         .batch_norm_at_sync = {.policy = BatchNormAtSync::Policy::kRecompute, .batches = batches}},
        dataset, [&](NetworkWorker& worker, Communicator& comm) {
          for (int step = 0; step < steps; ++step) worker.local_step(8, 0);
          const std::vector<float> before(worker.running_moments().begin(),
                                          worker.running_moments().end());
          const std::vector<float> mine = worker.evaluated_moments(comm);
          CHECK(std::ranges::equal(before, worker.running_moments()));
          if (comm.worker() == 0) found = mine;
        });
    return found;
  };
  const std::vector<float> once = recomputed(1, 0, 400);
  CHECK(recomputed(1, 3, 400) == once);  // parameters do not move with a learning rate of 0
  // The same batches in another order of addition; another number of them is another sample.
  CHECK(largest_difference(recomputed(3, 2, 400), once) < 1e-5);
  CHECK(largest_difference(recomputed(1, 0, 200), once) > 1e-5);
  // Those of the whole training set, as far as 400 batches tell.
  std::vector<float> whole(once.size());
  const ImageModel model = make_batch_norm_model();
  const std::unique_ptr<Network> network = model.make_network({.max_samples = 64});
  std::vector<float> canonical(model.parameter_count()), parameters(canonical.size());
  model.initialize_parameters(5, canonical);
  network->from_canonical(canonical, parameters);
  network->load(parameters, whole);
  BatchMemory memory(dataset.sample_shape(), 64);
  for (std::uint32_t i = 0; i < 64; ++i)
    dataset.write_training_sample({.epoch = 0, .sample = i}, 5, memory.place(i));
  network->measure_moments(memory.batch(64));
  for (std::size_t i = 0; i < whole.size(); ++i)
    CHECK(std::abs(double{once[i]} - double{whole[i]}) < 0.05 * (1 + std::abs(double{whole[i]})));
}

TestResult evaluate(const ResidentImages& dataset, int workers, int micro_batch,
                    std::int64_t max_test_samples = 0) {
  TestResult result;
  with_workers({.model = make_batch_norm_model(),
                .workers = workers,
                .micro_batch = micro_batch,
                .slots = 2,
                .max_test_samples = max_test_samples},
               dataset, [&](NetworkWorker& worker, Communicator& comm) {
                 const TestResult mine = worker.evaluate(comm);
                 if (comm.worker() == comm.num_workers() - 1) result = mine;
               });
  return result;
}

TEST_CASE("evaluation counts the whole test set exactly, whoever shares the work") {
  const ResidentImages dataset = make_dataset(64, 103);
  const TestResult alone = evaluate(dataset, 1, 103);
  CHECK(alone.images == 103);
  for (const int workers : {2, 3, 7}) {
    const TestResult shared = evaluate(dataset, workers, 16);
    CHECK(shared.images == 103);
    CHECK(shared.correct == alone.correct);
    CHECK(shared.loss == doctest::Approx(alone.loss).epsilon(1e-12));
  }
}

TEST_CASE("a part of the test set is spread evenly, whoever shares it and in whatever parts") {
  const ResidentImages dataset = make_dataset(64, 103);
  const TestResult alone = evaluate(dataset, 1, 64, 25);
  CHECK(alone.images == 25);
  CHECK_FALSE(alone.tokens);
  CHECK(alone.loss != evaluate(dataset, 1, 64).loss);
  for (const int workers : {1, 2, 3, 7}) {
    const TestResult shared = evaluate(dataset, workers, 4, 25);
    CHECK(shared.images == 25);
    CHECK(shared.correct == alone.correct);
    CHECK(shared.loss == doctest::Approx(alone.loss).epsilon(1e-12));
  }
  CHECK(evaluate(dataset, 1, 64, 1000).loss == evaluate(dataset, 1, 64).loss);
}

TEST_CASE("clipping takes the norm of the whole gradient of all micro-batches, on any threads") {
  const ResidentImages dataset = make_dataset(64, 10);
  const auto step = [&](double clip_norm, int micro_batch, int threads) {
    std::vector<float> result;
    with_workers({.model = make_mlp_model(),
                  .micro_batch = micro_batch,
                  .threads = threads,
                  .clip_norm = clip_norm},
                 dataset, [&](NetworkWorker& worker, Communicator&) {
                   const std::vector<float> before(worker.parameters().begin(),
                                                   worker.parameters().end());
                   worker.local_step(40, 1);
                   const double norm = std::sqrt(squared_norm(worker.gradient()));
                   const auto [found, clipped] = worker.gradient_length();
                   CHECK(found == doctest::Approx(norm).epsilon(1e-12));
                   CHECK(clipped == (clip_norm > 0 && clip_norm < norm));
                   const double moved = std::sqrt(squared_distance(before, worker.parameters()));
                   CHECK(moved == doctest::Approx(clipped ? clip_norm : norm).epsilon(1e-4));
                   result.assign(worker.parameters().begin(), worker.parameters().end());
                 });
    return result;
  };
  CHECK(step(0, 16, 1) == step(1e6, 16, 1));  // a bound that is not reached changes no bit
#ifndef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
  for (const int threads : {2, 3}) CHECK(step(0.01, 16, threads) == step(0.01, 16, 1));
#endif
  step(0.01, 64, 1);
}

TEST_CASE("a local step takes samples where the last one stopped, whatever their sizes") {
  const ResidentImages dataset = make_dataset(50, 10);
  with_workers({}, dataset, [&](NetworkWorker& worker, Communicator&) {
    worker.local_step(7, 0.1);
    worker.local_step(30, 0.1);
    CHECK(worker.sampler().drawn() == 37);
  });
}

}  // namespace
}  // namespace localbatch
