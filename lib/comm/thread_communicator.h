#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "comm/barrier.h"
#include "comm/communicator.h"
#include "comm/process_group.h"
#include "comm/run_workers.h"
#include "comm/slice.h"

namespace localbatch {

/// The workers that this process hosts, as many threads, and what they share to meet each other and
/// the workers of other processes. A `seat` is a worker's place among the hosted ones; seat 0 makes
/// the calls to the process group.
///
/// Between processes an average is an exchange of raw values, in which each rank receives its
/// segment of the vector from all workers and adds it in worker order, followed by a gathering of
/// the segments. Partial sums would be less traffic when a rank hosts several workers, but their
/// bits would depend on the placement.
class WorkerGroup {
 public:
  WorkerGroup(int num_workers, ProcessGroup& processes);

  int num_workers() const { return num_workers_; }
  HostedWorkers hosted() const { return hosted_; }

  void average(int seat, std::span<const float> mine, std::span<float> mean);
  void sum(int seat, std::span<double> values);

  /// Makes every present and future collective of this process throw Abandoned.
  void abandon() { barrier_.abandon(); }

 private:
  enum class Collective { kAverage, kSum };

  /// What a worker brings to the collective under way.
  struct Call {
    Collective collective = Collective::kAverage;
    std::size_t length = 0;
    double* values = nullptr;
  };

  void meet(int seat, const Call& call);
  void average_across_ranks(int seat, Slice block);
  void exchange_block(Slice block);
  void gather_values(std::size_t length);

  int num_workers_;
  ProcessGroup& processes_;
  HostedWorkers hosted_;
  Barrier barrier_;

  // One entry per seat, written by its worker before a meeting and read by others after it.
  std::vector<Call> calls_;
  std::vector<const float*> mine_;
  std::vector<float*> means_;

  // Between ranks vectors travel in blocks, so that these buffers have a fixed size.
  std::vector<int> workers_of_rank_;
  std::size_t block_size_ = 0;  ///< in elements, the same on all ranks
  std::vector<float> send_;     ///< rank by rank, seat by seat
  std::vector<float> receive_;  ///< this rank's segment, worker by worker
  std::vector<const float*> received_rows_;
  std::vector<float> segment_;  ///< the mean of `receive_`
  std::vector<std::size_t> send_counts_;
  std::vector<std::size_t> receive_counts_;
  std::vector<std::size_t> segment_sizes_;

  std::vector<double> hosted_values_;  ///< seat by seat
  std::vector<double> all_values_;     ///< worker by worker
};

/// One worker's view of its group.
class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(WorkerGroup& group, int seat) : group_(group), seat_(seat) {}

  int worker() const override { return group_.hosted().first + seat_; }
  int num_workers() const override { return group_.num_workers(); }
  void average(std::span<const float> mine, std::span<float> mean) override {
    group_.average(seat_, mine, mean);
  }
  void sum(std::span<double> values) override { group_.sum(seat_, values); }

 private:
  WorkerGroup& group_;
  int seat_;
};

}  // namespace localbatch
