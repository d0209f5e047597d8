#include "comm/run_workers.h"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/slice.h"
#include "comm/thread_communicator.h"
#include "core/error.h"

namespace localbatch {

namespace {

/// Keeps the exception that came first. It is set before the group is abandoned, so an Abandoned
/// always comes later than its cause.
class FirstError {
 public:
  void set(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }

  /// Only after all threads have ended.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

HostedWorkers hosted_workers(int num_workers, int rank, int num_ranks) {
  const Slice slice = slice_of(num_workers, rank, num_ranks);
  return {.first = static_cast<int>(slice.begin), .count = static_cast<int>(slice.size())};
}

void check_ranks(int num_workers, int num_ranks) {
  if (num_ranks > num_workers)
    fail_input(
        "{} ranks were started for {} workers; start at most as many ranks as the experiment has "
        "workers (mpirun -np {}), or raise workers",
        num_ranks, num_workers, num_workers);
}

void run_workers(int num_workers, ProcessGroup& processes,
                 const std::function<void(Communicator&)>& body) {
  check_ranks(num_workers, processes.num_ranks());
  WorkerGroup group(num_workers, processes);
  const auto run = [&](int seat) {
    ThreadCommunicator communicator(group, seat);
    body(communicator);
  };
  if (group.hosted().count == 1) return run(0);

  FirstError first_error;
  const auto fail = [&] {
    first_error.set(std::current_exception());
    group.abandon();
  };
  {
    std::vector<std::jthread> threads;
    try {
      for (int seat = 0; seat < group.hosted().count; ++seat)
        threads.emplace_back([&, seat] {
          try {
            run(seat);
          } catch (...) {
            fail();
          }
        });
    } catch (...) {  // no thread left: those that have started must not wait for it
      fail();
    }
  }
  first_error.rethrow();
}

}  // namespace localbatch
