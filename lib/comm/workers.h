#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "comm/mailbox.h"
#include "comm/process_group.h"
#include "comm/rank_average.h"

namespace localbatch {

/// Where a fixed number of threads wait for each other, asleep: there may be many more workers than
/// cores. Can be abandoned, so that nobody waits for a thread that has failed.
class Barrier {
 public:
  explicit Barrier(int num_threads);

  /// Returns when all threads have called it. Throws Abandoned when that can no longer happen.
  void wait();

  /// Ends all present and future waiting.
  void abandon();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int num_threads_;
  int num_waiting_ = 0;
  std::uint64_t num_passed_ = 0;  ///< how often all threads have met
  bool abandoned_ = false;
};

/// Which workers a rank hosts: first, first + 1, ..., first + count - 1. Shares differ by at most
/// one.
struct HostedWorkers {
  int first = 0;
  int count = 0;
};
HostedWorkers hosted_workers(int num_workers, int rank, int num_ranks);

/// Throws an InputError when there are more ranks than workers.
void check_ranks(int num_workers, int num_ranks);

/// Runs `body` once per worker that this rank hosts, each on a thread of its own (a lone one on the
/// calling thread), and joins them: threads inside a process, processes through `processes`. Throws
/// an InputError when there are more ranks than workers. The first exception that leaves a body
/// ends the other bodies at their next collective and is rethrown here. Workers of other ranks then
/// wait for ever: the caller has to end the job, and may do so in `on_failure`, which gets the
/// first exception at once, on the thread that it came from, while others still compute. A
/// collective that waits for other ranks for more than `patience` seconds fails; 0: it waits for
/// ever.
void run_workers(int num_workers, ProcessGroup& processes,
                 const std::function<void(Communicator&)>& body, double patience = 0,
                 const std::function<void(std::exception_ptr)>& on_failure = {});

/// The workers that this process hosts, as many threads, and what they share to meet each other and
/// the workers of other processes. A `seat` is a worker's place among the hosted ones; seat 0 makes
/// the calls to the process group, while the others sleep.
class WorkerGroup {
 public:
  WorkerGroup(int num_workers, ProcessGroup& processes, double patience);

  int num_workers() const { return num_workers_; }
  HostedWorkers hosted() const { return hosted_; }
  const Ledger& ledger() const { return mailbox_.ledger(); }

  /// Returns when the last of all workers came.
  std::chrono::steady_clock::time_point exchange(int seat, const Exchange& what);

  void collect(int seat, std::span<const std::byte> mine,
               const std::function<void(int, std::span<const std::byte>)>& take);
  Communicator::Bytes deal(int seat, const std::function<Communicator::Bytes(int)>& give);

  /// Makes every present and future collective of this process throw Abandoned.
  void abandon() { barrier_.abandon(); }

 private:
  void meet(int seat, const Exchange& what);
  void gather_numbers(const Exchange& what);
  void average_in_process(int seat, std::size_t array);
  void average_across_ranks();

  int num_workers_;
  HostedWorkers hosted_;
  Mailbox mailbox_;
  std::optional<RankAverage> rank_average_;  ///< where there are several ranks
  std::vector<std::size_t> workers_of_rank_;
  SubtreeMeans mean_of_all_;
  Barrier barrier_;
  std::chrono::steady_clock::time_point all_came_;

  std::vector<const Exchange*> calls_;                 ///< seat by seat, from a meeting to its end
  std::vector<std::span<const std::byte>> collected_;  ///< seat by seat, from a meeting to its end
  std::vector<Communicator::Bytes> dealt_;             ///< seat by seat
  std::vector<double> hosted_numbers_;                 ///< seat by seat
  std::vector<double> all_numbers_;                    ///< worker by worker
};

/// One worker's view of its group.
class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(WorkerGroup& group, int seat) : group_(group), seat_(seat) {}

  int worker() const override { return group_.hosted().first + seat_; }
  int num_workers() const override { return group_.num_workers(); }
  void exchange(const Exchange& what) override;
  void collect(std::span<const std::byte> mine,
               const std::function<void(int, std::span<const std::byte>)>& take) override {
    group_.collect(seat_, mine, take);
  }
  Bytes deal(const std::function<Bytes(int)>& give) override { return group_.deal(seat_, give); }
  double waited_seconds() const override { return waited_.count(); }
  Ledger ledger() const override { return seat_ == 0 ? group_.ledger() : Ledger(); }

 private:
  WorkerGroup& group_;
  int seat_;
  std::chrono::duration<double> waited_{};
};

}  // namespace localbatch
