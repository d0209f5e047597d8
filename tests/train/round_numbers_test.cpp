#include "train/round_numbers.h"

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
  SampleGradients sample_gradients(const SampleRequest& /*request*/) override { return {}; }
  void add_averaged_state(std::vector<Averaged>& /*averaged*/) override {}
  void finish_synchronization() override {
    synchronizations_ += 1;
    if (synchronizations_ == failing_synchronization) flip_lowest_bit(failing_place);
  }
  std::vector<TensorView> tensors() const override {
    return {{.name = "weights", .dims = {4}, .size = 4},
            {.name = "biases", .dims = {2}, .offset = 4, .size = 2}};
  }

  void flip_lowest_bit(std::size_t place) {
    x_[place] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x_[place]) ^ 1U);
  }

  bool next_read_fails = false;
  int failing_synchronization = 0;
  std::size_t failing_place = 0;

 private:
  std::array<float, 6> x_{1, 2, 3, 4, 5, 6};
  std::array<float, 6> g_{1, 1, 1, 1, 1, 1};
  int synchronizations_ = 0;
};

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
    const RoundNumbers all =
        combine({.loss = 3 * m, .drift = m, .gradients = {.chunks = 1 + m}}, worker, comm);
    check(all.loss == 3 && all.drift == 1 && all.gradients.chunks == 6, "means and a sum");
    check(!all.interruption.save && !all.interruption.stop, "nobody asks");
  });
  CHECK(errors == std::vector<std::string>(3));
}

TEST_CASE("one bit that differs is told by every worker, with the worker and the tensor") {
  for (const std::size_t place : {0, 3, 4, 5})
    for (const int failing : {1, 2}) {
      CAPTURE(place);
      const auto errors = errors_of(3, [&](FailingWorker& worker, Communicator& comm) {
        if (comm.worker() == failing) worker.flip_lowest_bit(place);
        combine({}, worker, comm);
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
    combine({}, worker, comm);
  });
  for (const std::string& error : errors)
    CHECK(error.find("of worker 1, 2 differ from those of worker 0, first in biases") !=
          std::string::npos);
}

TEST_CASE("a difference that is gone when it is looked for is told as well") {
  const auto errors = errors_of(2, [](FailingWorker& worker, Communicator& comm) {
    worker.next_read_fails = comm.worker() == 1;
    combine({}, worker, comm);
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
      const auto outer = default_part(outer_optimizer_table(), "averaging")(6);
      Progress progress{.local_batch_size = 1};
      local_sgd(make_method(100, 2, 0.1), worker, *outer, comm, progress,
                [&](const RoundRecord& round) {
                  if (comm.worker() == 0) rounds.push_back(round.round);
                });
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
    Interruption asked, expected;
  };
  const Case cases[] = {{{.save = true}, {.save = true}},
                        {{.stop = true}, {.save = true, .stop = true}},
                        {{.save = true, .stop = true}, {.save = true, .stop = true}}};
  for (const Case& row : cases)
    for (int asking = 0; asking < 3; ++asking) {
      std::vector<Interruption> heard(3);
      const auto errors = errors_of(3, [&](FailingWorker& worker, Communicator& comm) {
        const Interruption mine = comm.worker() == asking ? row.asked : Interruption();
        heard[static_cast<std::size_t>(comm.worker())] =
            combine({.interruption = mine}, worker, comm).interruption;
      });
      CHECK(errors == std::vector<std::string>(3));
      for (const Interruption& interruption : heard) {
        CHECK(interruption.save == row.expected.save);
        CHECK(interruption.stop == row.expected.stop);
      }
    }
}

TEST_CASE("a run ends behind the round in which one worker asks for it") {
  std::vector<Outcome> outcomes(3);
  std::vector<bool> saved;
  const auto errors = errors_of(3, [&](FailingWorker& worker, Communicator& comm) {
    const auto outer = default_part(outer_optimizer_table(), "averaging")(6);
    Progress progress{.local_batch_size = 1};
    const auto observe = [&](const RoundRecord& round) {
      if (comm.worker() == 2) saved.push_back(round.is_to_be_saved);
    };
    const auto interruption = [&] {
      return Interruption{.save = comm.worker() == 0 && progress.round == 1,
                          .stop = comm.worker() == 1 && progress.round == 3};
    };
    outcomes[static_cast<std::size_t>(comm.worker())] =
        local_sgd(make_method(600, 2, 0.1), worker, *outer, comm, progress, observe, interruption);
  });
  CHECK(errors == std::vector<std::string>(3));
  CHECK(outcomes == std::vector<Outcome>(3, Outcome::kStopped));
  CHECK(saved == std::vector<bool>{false, true, false, true});
}

}  // namespace
}  // namespace localbatch
