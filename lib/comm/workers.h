#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "comm/background_averages.h"
#include "comm/communicator.h"
#include "comm/mailbox.h"
#include "comm/process_group.h"
#include "comm/rank_average.h"

namespace localbatch {

/// A barrier at which a fixed number of threads wait for each other, asleep, as there may be many
/// more workers than cores. It can be abandoned, so that no thread waits for one that has failed.
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
  std::uint64_t num_passed_ = 0;  ///< how often all threads have arrived
  bool abandoned_ = false;
};

/// The workers that a rank hosts: first, first + 1, ..., first + count - 1. Shares differ by at
/// most one.
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
/// wait until their patience is over: the caller has to end the job, and may do so in `on_failure`,
/// which gets the first exception at once, on the thread that it came from, while others still
/// compute.
void run_workers(int num_workers, ProcessGroup& processes,
                 const std::function<void(Communicator&)>& body,
                 const std::function<void(std::exception_ptr)>& on_failure = {});

/// The workers that this process hosts, each on a thread, and the buffers through which they
/// exchange data with each other and with the workers of other processes. The worker with local
/// index 0 makes the calls to the process group, while the others sleep.
class WorkerGroup {
 public:
  WorkerGroup(int num_workers, ProcessGroup& processes);

  int num_workers() const { return num_workers_; }
  HostedWorkers hosted() const { return hosted_; }
  /// Between averages in the background alone.
  Ledger ledger() const;

  /// Returns the time at which the last of all workers arrived, as monotonic_seconds() tells it.
  double exchange(int local_index, const Exchange& what);

  void gather(int local_index, std::span<const std::byte> mine,
              const std::function<void(int, std::span<const std::byte>)>& take);
  Communicator::Bytes scatter(int local_index, const std::function<Communicator::Bytes(int)>& give);

  void start_average(int local_index, const Averaged& what) {
    background_.start(local_index, what);
  }
  void finish_average(int local_index) { background_.finish(local_index); }

  /// Makes every present and future collective of this process throw Abandoned.
  void abandon();

 private:
  void enter(int local_index, const Exchange& what);
  void gather_numbers(const Exchange& what);
  void average_in_process(int local_index, std::size_t array);
  void average_across_ranks();

  int num_workers_;
  HostedWorkers hosted_;
  Mailbox mailbox_;
  std::optional<RankAverage> rank_average_;  ///< where there are several ranks
  std::vector<std::size_t> workers_of_rank_;
  SubtreeMeans mean_of_all_;
  BackgroundAverages background_;
  Barrier barrier_;
  double all_came_ = 0;

  // By local index; the first two are valid until the collective that set them ends.
  std::vector<const Exchange*> calls_;
  std::vector<std::span<const std::byte>> gathered_;
  std::vector<Communicator::Bytes> scattered_;
  std::vector<double> hosted_numbers_;
  std::vector<double> all_numbers_;  ///< worker by worker
};

/// One worker's view of its group.
class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(WorkerGroup& group, int local_index)
      : group_(group), local_index_(local_index) {}

  int worker() const override { return group_.hosted().first + local_index_; }
  int num_workers() const override { return group_.num_workers(); }
  void exchange(const Exchange& what) override;
  void gather(std::span<const std::byte> mine,
              const std::function<void(int, std::span<const std::byte>)>& take) override {
    group_.gather(local_index_, mine, take);
  }
  Bytes scatter(const std::function<Bytes(int)>& give) override {
    return group_.scatter(local_index_, give);
  }
  void start_average(const Averaged& what) override { group_.start_average(local_index_, what); }
  void finish_average() override { group_.finish_average(local_index_); }
  double waited_seconds() const override { return waited_; }
  Ledger ledger() const override { return local_index_ == 0 ? group_.ledger() : Ledger(); }

 private:
  WorkerGroup& group_;
  int local_index_;
  double waited_ = 0;
};

}  // namespace localbatch
