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

/// Keeps the exception that came first and tells it. It is set before the group is abandoned, so an
/// Abandoned always comes later than its cause.
class FirstError {
 public:
  explicit FirstError(const std::function<void(std::exception_ptr)>& tell) : tell_(tell) {}

  void set(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (error_) return;
    error_ = std::move(error);
    if (tell_) tell_(error_);
  }

  /// Only after all threads have ended.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const std::function<void(std::exception_ptr)>& tell_;
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
                 const std::function<void(Communicator&)>& body, double patience,
                 const std::function<void(std::exception_ptr)>& on_failure) {
  check_ranks(num_workers, processes.num_ranks());
  WorkerGroup group(num_workers, processes, patience);
  FirstError first_error(on_failure);
  const auto run = [&](int seat) {
    try {
      ThreadCommunicator communicator(group, seat);
      body(communicator);
    } catch (...) {
      first_error.set(std::current_exception());
      group.abandon();
    }
  };
  if (group.hosted().count == 1) {
    run(0);
  } else {
    std::vector<std::jthread> threads;
    try {
      for (int seat = 0; seat < group.hosted().count; ++seat) threads.emplace_back(run, seat);
    } catch (...) {  // no thread left: those that have started must not wait for it
      first_error.set(std::current_exception());
      group.abandon();
    }
  }
  first_error.rethrow();
}

}  // namespace localbatch
