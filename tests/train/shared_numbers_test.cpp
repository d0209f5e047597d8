#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "train/local_sgd_fixtures.h"
#include "train/synchronizer.h"

namespace localbatch {
namespace {

/// A worker of two tensors whose memory may fail.
class FailingWorker final : public Worker {
 public:
  double local_step(int /*local_batch_size*/, double learning_rate,
                    ChunkGradients* /*chunks*/) override {
    for (float& x : x_) x -= static_cast<float>(learning_rate);
    return 1;
  }
  std::span<float> parameters() override {
    if (std::exchange(next_read_fails, false)) return g_;
    return x_;
  }
  std::span<const float> gradient() const override { return g_; }
  void sample_gradients(const SampleRequest&, const SampleSums&, std::span<float>) override {}
  void add_averaged_state(std::vector<Averaged>& averaged) override {
    if (has_state) averaged.push_back({.mine = state_, .mean = state_, .traffic = Traffic::kState});
  }
  std::vector<TensorView> averaged_state_tensors() override {
    if (!has_state) return {};
    return {{.name = "running mean", .dims = {2}, .size = 2},
            {.name = "running variance", .dims = {2}, .offset = 2, .size = 2}};
  }
  void finish_synchronization() override {
    synchronizations_ += 1;
    if (synchronizations_ == failing_synchronization) flip_lowest_bit(failing_place);
  }
  std::vector<TensorView> tensors() const override {
    return {{.name = "weights", .dims = {4}, .size = 4},
            {.name = "biases", .dims = {2}, .offset = 4, .size = 2}};
  }

  void flip_lowest_bit(std::size_t place) { flip(x_[place]); }
  void flip_lowest_bit_of_state(std::size_t place) { flip(state_[place]); }

  bool next_read_fails = false;
  bool has_state = false;
  int failing_synchronization = 0;
  std::size_t failing_place = 0;

 private:
  static void flip(float& value) {
    value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ 1U);
  }

  std::array<float, 6> x_{1, 2, 3, 4, 5, 6};
  std::array<float, 6> g_{1, 1, 1, 1, 1, 1};
  std::array<float, 4> state_{0, 0, 1, 1};
  int synchronizations_ = 0;
};

/// The second meeting of a round alone.
RoundNumbers share(const RoundNumbers& mine, FailingWorker& worker, Communicator& comm) {
  LocalSgd method = make_method(100, 2, 0.1);
  method.num_workers = comm.num_workers();
  return Synchronizer(method, worker, make_averaging(), comm).share(mine);
}

/// What each worker of `num_workers` says when `body` throws a SystemError, "" when it does not.
std::vector<std::string> errors_of(int num_workers,
                                   const std::function<void(FailingWorker&, Communicator&)>& body) {
  std::vector<std::string> errors(static_cast<std::size_t>(num_workers));
  const auto processes = single_process();
  run_workers(num_workers, *processes, [&](Communicator& comm) {
    FailingWorker worker;
    try {
      body(worker, comm);
    } catch (const SystemError& error) {
      errors[static_cast<std::size_t>(comm.worker())] = error.what();
    }
  });
  return errors;
}

TEST_CASE("equal parameters are no failure, and numbers become those of all workers") {
  const auto errors = errors_of(3, [](FailingWorker& worker, Communicator& comm) {
    const double m = comm.worker();
    const RoundNumbers all = share({.loss = 3 * m,
                                    .drift = m,
                                    .gradient_norm = 5 * m,
                                    .clipped_steps = 2 * m,
                                    .gradients = {.chunks = 1 + m}},
                                   worker, comm);
    check(all.gradient_norm == 5 && all.clipped_steps == 6, "a mean and a sum");
    check(all.loss == 3 && all.drift == 1 && all.gradients.chunks == 6, "means and a sum");
    check(!all.request.save && !all.request.stop, "nobody asks");
  });
  CHECK(errors == std::vector<std::string>(3));
}

TEST_CASE("one bit that differs is told by every worker, with the worker and the tensor") {
  for (const std::size_t place : {0, 3, 4, 5})
    for (const int failing : {1, 2}) {
      CAPTURE(place);
      const auto errors = errors_of(3, [&](FailingWorker& worker, Communicator& comm) {
        if (comm.worker() == failing) worker.flip_lowest_bit(place);
        share({}, worker, comm);
      });
      const std::string expected =
          "after the synchronization the parameters of worker " + std::to_string(failing) +
          " differ from those of worker 0, first in " + (place < 4 ? "weights" : "biases") +
          ": memory, processor or network of one of them has failed";
      CHECK(errors == std::vector<std::string>(3, expected));
    }
}

TEST_CASE("where worker 0 has failed all others differ from it") {
  const auto errors = errors_of(3, [](FailingWorker& worker, Communicator& comm) {
    if (comm.worker() == 0) worker.flip_lowest_bit(5);
    share({}, worker, comm);
  });
  for (const std::string& error : errors)
    CHECK(error.find("of worker 1, 2 differ from those of worker 0, first in biases") !=
          std::string::npos);
}

TEST_CASE("a difference that is gone when it is looked for is told as well") {
  const auto errors = errors_of(2, [](FailingWorker& worker, Communicator& comm) {
    LocalSgd method = make_method(100, 2, 0.1);
    method.num_workers = 2;
    Synchronizer all_workers(method, worker, make_averaging(), comm);
    worker.next_read_fails = comm.worker() == 1;
    all_workers.share({});
  });
  for (const std::string& error : errors)
    CHECK(error.find("differ for a moment") != std::string::npos);
}

TEST_CASE("a worker that spoils a value after a synchronization ends the run in that round") {
  for (const int failing : {0, 3}) {
    CAPTURE(failing);
    std::vector<std::int64_t> rounds;
    const auto errors = errors_of(4, [&](FailingWorker& worker, Communicator& comm) {
      if (comm.worker() == failing) {
        worker.failing_synchronization = 3;
        worker.failing_place = 4;
      }
      LocalSgd method = make_method(100, 2, 0.1);
      method.num_workers = 4;
      LoopOfWorker loop(method, worker, make_averaging(), comm, 1);
      const auto keep_rounds = [&] {
        if (comm.worker() == 0)
          for (const RoundRecord& round : loop.observer.rounds) rounds.push_back(round.round);
      };
      try {
        loop.run();
      } catch (const SystemError&) {
        keep_rounds();
        throw;
      }
    });
    for (const std::string& error : errors) {
      CHECK(error.find(failing == 0 ? "worker 1, 2, 3 differ" : "worker 3 differ") !=
            std::string::npos);
      CHECK(error.find("first in biases") != std::string::npos);
    }
    CHECK(rounds == std::vector<std::int64_t>{1, 2});
  }
}

TEST_CASE("what one worker asks for reaches all, and a run does not stop unsaved") {
  struct Case {
    Request asked, expected;
  };
  const Case cases[] = {{{.save = true}, {.save = true}},
                        {{.stop = true}, {.save = true, .stop = true}},
                        {{.save = true, .stop = true}, {.save = true, .stop = true}}};
  for (const Case& row : cases)
    for (int asking = 0; asking < 3; ++asking) {
      std::vector<Request> heard(3);
      const auto errors = errors_of(3, [&](FailingWorker& worker, Communicator& comm) {
        const Request mine = comm.worker() == asking ? row.asked : Request();
        heard[static_cast<std::size_t>(comm.worker())] =
            share({.request = mine}, worker, comm).request;
      });
      CHECK(errors == std::vector<std::string>(3));
      for (const Request& request : heard) {
        CHECK(request.save == row.expected.save);
        CHECK(request.stop == row.expected.stop);
      }
    }
}

TEST_CASE("a run ends behind the round in which one worker asks for it") {
  std::vector<Outcome> outcomes(3);
  std::vector<bool> saved;
  const auto errors = errors_of(3, [&](FailingWorker& worker, Communicator& comm) {
    LocalSgd method = make_method(600, 2, 0.1);
    method.num_workers = 3;
    LoopOfWorker loop(method, worker, make_averaging(), comm, 1);
    loop.observer.requests = [&] {
      return Request{.save = comm.worker() == 0 && loop.at.round == 1,
                     .stop = comm.worker() == 1 && loop.at.round == 3};
    };
    outcomes[static_cast<std::size_t>(comm.worker())] = loop.run();
    if (comm.worker() == 2)
      for (const RoundRecord& round : loop.observer.rounds) saved.push_back(round.request.save);
  });
  CHECK(errors == std::vector<std::string>(3));
  CHECK(outcomes == std::vector<Outcome>(3, Outcome::kStopped));
  CHECK(saved == std::vector<bool>{false, true, false, true});
}

TEST_CASE("one bit of averaged state that differs is told with the worker and the tensor") {
  for (const std::size_t place : {0, 1, 2, 3})
    for (const int failing : {1, 2}) {
      CAPTURE(place);
      const auto errors = errors_of(3, [&](FailingWorker& worker, Communicator& comm) {
        worker.has_state = true;
        share({}, worker, comm);  // equal states are no failure
        if (comm.worker() == failing) worker.flip_lowest_bit_of_state(place);
        share({}, worker, comm);
      });
      const std::string expected = "after the synchronization the averaged states of worker " +
                                   std::to_string(failing) +
                                   " differ from those of worker 0, first in " +
                                   (place < 2 ? "running mean" : "running variance") +
                                   ": memory, processor or network of one of them has failed";
      CHECK(errors == std::vector<std::string>(3, expected));
    }
}

}  // namespace
}  // namespace localbatch
