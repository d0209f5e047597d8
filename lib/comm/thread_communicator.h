#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "comm/barrier.h"
#include "comm/communicator.h"
#include "comm/mailbox.h"
#include "comm/rank_average.h"
#include "comm/run_workers.h"

namespace localbatch {

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
