#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "comm/communicator_checks.h"
#include "comm/thread_process_group.h"
#include "comm/workers.h"
#include "core/error.h"

namespace localbatch {

namespace {

using std::chrono::steady_clock;

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

/// The message of the exception that leaves run_workers, and that it does so soon.
std::string failure_of(int num_workers, const std::function<void(Communicator&)>& body) {
  const auto start = steady_clock::now();
  const auto processes = single_process();
  std::string message = "nothing was thrown";
  try {
    run_workers(num_workers, *processes, body);
  } catch (const std::exception& error) {
    message = error.what();
  }
  CHECK(seconds_since(start) < 1.0);
  return message;
}

}  // namespace

TEST_CASE("every worker is hosted once, in order, in shares that differ by at most one") {
  for (int num_workers = 1; num_workers <= 40; ++num_workers)
    for (int num_ranks = 1; num_ranks <= num_workers; ++num_ranks) {
      int next = 0;
      for (int rank = 0; rank < num_ranks; ++rank) {
        const HostedWorkers hosted = hosted_workers(num_workers, rank, num_ranks);
        CHECK(hosted.first == next);
        CHECK(hosted.count >= num_workers / num_ranks);
        CHECK(hosted.count <= (num_workers + num_ranks - 1) / num_ranks);
        next += hosted.count;
      }
      CHECK(next == num_workers);
    }
}

TEST_CASE("each worker runs once and knows its index") {
  for (const int num_workers : {1, 2, 3, 8, 64}) {
    const auto processes = single_process();
    std::vector<std::atomic<int>> runs(num_workers);
    run_workers(num_workers, *processes, [&](Communicator& communicator) {
      CHECK(communicator.num_workers() == num_workers);
      ++runs.at(communicator.worker());
    });
    for (const auto& count : runs) CHECK(count == 1);
  }
}

TEST_CASE("threads of one process agree bit for bit with a sequential sum") {
  for (const int num_workers : {1, 2, 3, 8, 64}) {
    CAPTURE(num_workers);
    const auto processes = single_process();
    run_workers(num_workers, *processes, check_collectives);
  }
}

TEST_CASE("the bits do not depend on how workers are placed on ranks") {
  struct Placement {
    int num_workers;
    int num_ranks;
  };
  const std::vector<Placement> placements = {{4, 1}, {4, 2}, {4, 3},  {4, 4},
                                             {7, 3}, {2, 2}, {16, 5}, {64, 2}};
  for (const Placement& placement : placements) {
    CAPTURE(placement.num_workers);
    CAPTURE(placement.num_ranks);
    run_simulated_ranks(placement.num_ranks, [&](ProcessGroup& processes) {
      run_workers(placement.num_workers, processes, check_collectives);
    });
  }
}

TEST_CASE("the bits do not depend on how ranks are placed on hosts") {
  const std::vector<std::vector<int>> placements = {{0, 1},    {0, 0, 2, 2}, {0, 1, 0, 1},
                                                    {0, 0, 2}, {0, 0, 0, 3}, {5, 5, 5, 1, 1}};
  for (const std::vector<int>& hosts : placements)
    for (const int num_workers : {5, 8, 16}) {
      CAPTURE(hosts.size());
      CAPTURE(num_workers);
      run_simulated_ranks(hosts, [&](ProcessGroup& processes) {
        run_workers(num_workers, processes, check_collectives);
      });
    }
}

TEST_CASE("long vectors agree on any placement") {
  for (const std::vector<int>& hosts : {std::vector<int>{0}, {0, 0}, {0, 1, 2}, {0, 0, 2}}) {
    CAPTURE(hosts.size());
    run_simulated_ranks(hosts, [](ProcessGroup& processes) {
      run_workers(3, processes,
                  [](Communicator& communicator) { check_average(communicator, 3'000'001); });
    });
  }
}

TEST_CASE("a failing worker ends those that wait for it, and its exception is the one reported") {
  const auto fail_alone = [](Communicator& communicator) {
    std::vector<float> x(1000);
    communicator.average(x, x, Traffic::kParameters);
    if (communicator.worker() == 2) throw std::runtime_error("worker 2 fell");
    communicator.average(x, x, Traffic::kParameters);
  };
  CHECK(failure_of(3, fail_alone) == "worker 2 fell");
  CHECK(failure_of(64, fail_alone) == "worker 2 fell");
  const auto fail_in_sum = [](Communicator& communicator) {
    std::vector<double> x(3);
    if (communicator.worker() == 0) throw std::runtime_error("worker 0 fell");
    communicator.sum(x, Traffic::kControl);
  };
  CHECK(failure_of(4, fail_in_sum) == "worker 0 fell");
  CHECK(failure_of(1, fail_in_sum) == "worker 0 fell");
}

TEST_CASE("a worker that comes late to a failed group is abandoned too") {
  std::atomic<int> abandoned = 0;
  const std::string message = failure_of(3, [&](Communicator& communicator) {
    if (communicator.worker() == 1) throw std::runtime_error("worker 1 fell");
    if (communicator.worker() == 2) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::vector<double> x(1);
    try {
      communicator.sum(x, Traffic::kControl);
    } catch (const Abandoned&) {
      ++abandoned;
      throw;
    }
  });
  CHECK(message == "worker 1 fell");
  CHECK(abandoned == 2);
}

TEST_CASE("a failing worker ends those that wait for a mean in the background") {
  for (const bool has_started : {false, true}) {
    std::atomic<int> abandoned = 0;
    const std::string message = failure_of(3, [&](Communicator& communicator) {
      std::vector<float> x(1000);
      if (communicator.worker() != 1 || has_started)
        communicator.start_average({.mine = x, .mean = x});
      if (communicator.worker() == 1) throw std::runtime_error("worker 1 fell");
      communicator.start_average({.mine = x, .mean = x});  // which worker 1 never does
      try {
        for (int i = 0; i < 2; ++i) communicator.finish_average();
      } catch (const Abandoned&) {
        ++abandoned;
        throw;
      }
    });
    CHECK(message == "worker 1 fell");
    CHECK(abandoned == 2);
  }
}

TEST_CASE("of two failures the first one is reported") {
  const std::string message = failure_of(2, [](Communicator& communicator) {
    if (communicator.worker() == 0) throw std::runtime_error("first");
    std::vector<double> x(1);
    try {
      communicator.sum(x, Traffic::kControl);
    } catch (const Abandoned&) {
      throw std::runtime_error("second");
    }
  });
  CHECK(message == "first");
}

TEST_CASE("workers sleep while they wait") {
  const std::clock_t cpu_start = std::clock();
  const auto processes = single_process();
  run_workers(64, *processes, [](Communicator& communicator) {
    if (communicator.worker() == 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    std::vector<double> x(1);
    communicator.sum(x, Traffic::kControl);
  });
  // One that does not sleep takes a second; 64 threads start in a quarter under a sanitizer.
  const double cpu_seconds = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  CHECK(cpu_seconds < 0.7);
}

TEST_CASE("more ranks than workers are refused with the way out") {
  run_simulated_ranks(4, [](ProcessGroup& processes) {
    std::string message;
    try {
      run_workers(2, processes, [](Communicator&) { FAIL_CHECK("no worker may run"); });
    } catch (const InputError& error) {
      message = error.what();
    }
    CHECK(message ==
          "4 ranks were started for 2 workers; start at most as many ranks as the experiment has "
          "workers (mpirun -np 2), or raise workers");
  });
}

}  // namespace localbatch
