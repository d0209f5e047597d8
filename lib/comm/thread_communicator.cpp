#include "comm/thread_communicator.h"

#include <algorithm>

#include "comm/average_rows.h"
#include "core/error.h"

namespace localbatch {

namespace {

/// What a rank sends at once: enough to hide latency, little beside the parameters of a worker, and
/// far below what the int counts of MPI can hold.
constexpr std::size_t kExchangeFloats = std::size_t{1} << 21;

}  // namespace

WorkerGroup::WorkerGroup(int num_workers, ProcessGroup& processes)
    : num_workers_(num_workers),
      processes_(processes),
      hosted_(hosted_workers(num_workers, processes.rank(), processes.num_ranks())),
      barrier_(hosted_.count),
      calls_(hosted_.count),
      mine_(hosted_.count),
      means_(hosted_.count) {
  const int num_ranks = processes.num_ranks();
  for (int rank = 0; rank < num_ranks; ++rank)
    workers_of_rank_.push_back(hosted_workers(num_workers, rank, num_ranks).count);
  send_counts_.resize(num_ranks);
  receive_counts_.resize(num_ranks);
  segment_sizes_.resize(num_ranks);
  if (num_ranks == 1) return;

  const std::size_t most_hosted = *std::ranges::max_element(workers_of_rank_);
  block_size_ = std::max<std::size_t>(1, kExchangeFloats / most_hosted);
  const std::size_t largest_segment = (block_size_ + num_ranks - 1) / num_ranks;
  if (hosted_.count > 1) send_.resize(hosted_.count * block_size_);
  receive_.resize(num_workers * largest_segment);
  received_rows_.resize(num_workers);
  segment_.resize(largest_segment);
}

void WorkerGroup::average(int seat, std::span<const float> mine, std::span<float> mean) {
  check(mine.size() == mean.size(), "a mean has the length of what is averaged");
  mine_[seat] = mine.data();
  means_[seat] = mean.data();
  meet(seat, {.collective = Collective::kAverage, .length = mine.size()});

  if (processes_.num_ranks() == 1) {
    // Nobody else reads or writes this slice of any array, so it can go to all means at once.
    average_rows(mine_, slice_of(mine.size(), seat, hosted_.count), means_);
  } else {
    for (std::size_t begin = 0; begin < mine.size(); begin += block_size_)
      average_across_ranks(seat, {begin, std::min(begin + block_size_, mine.size())});
  }
  barrier_.wait();
}

void WorkerGroup::sum(int seat, std::span<double> values) {
  meet(seat, {.collective = Collective::kSum, .length = values.size(), .values = values.data()});
  if (seat == 0) gather_values(values.size());
  barrier_.wait();
  for (std::size_t i = 0; i < values.size(); ++i) {
    double total = all_values_[i];
    for (int worker = 1; worker < num_workers_; ++worker)
      total += all_values_[worker * values.size() + i];
    values[i] = total;
  }
}

void WorkerGroup::meet(int seat, const Call& call) {
  calls_[seat] = call;
  barrier_.wait();
  if (seat != 0) return;
  for (const Call& other : calls_)
    check(other.collective == call.collective && other.length == call.length,
          "all workers call the same collective with equally long arrays");
}

void WorkerGroup::average_across_ranks(int seat, Slice block) {
  const std::size_t num_ranks = segment_sizes_.size();
  if (hosted_.count > 1) {
    for (std::size_t rank = 0; rank < num_ranks; ++rank) {
      const Slice segment = slice_of(block.size(), rank, num_ranks);
      std::copy_n(mine_[seat] + block.begin + segment.begin, segment.size(),
                  send_.data() + hosted_.count * segment.begin + seat * segment.size());
    }
    barrier_.wait();
  }
  if (seat == 0) exchange_block(block);
  barrier_.wait();

  float* const segment = segment_.data();
  const std::size_t segment_size = segment_sizes_[processes_.rank()];
  average_rows(received_rows_, slice_of(segment_size, seat, hosted_.count), {&segment, 1});
  barrier_.wait();

  if (seat == 0)
    processes_.gather_all(std::span<const float>(segment, segment_size),
                          std::span(means_[0] + block.begin, block.size()), segment_sizes_);
  barrier_.wait();
  if (seat != 0) std::copy_n(means_[0] + block.begin, block.size(), means_[seat] + block.begin);
}

void WorkerGroup::exchange_block(Slice block) {
  const std::size_t num_ranks = segment_sizes_.size();
  const std::size_t own_size = slice_of(block.size(), processes_.rank(), num_ranks).size();
  for (std::size_t rank = 0; rank < num_ranks; ++rank) {
    segment_sizes_[rank] = slice_of(block.size(), rank, num_ranks).size();
    send_counts_[rank] = hosted_.count * segment_sizes_[rank];
    receive_counts_[rank] = workers_of_rank_[rank] * own_size;
  }
  for (int worker = 0; worker < num_workers_; ++worker)
    received_rows_[worker] = receive_.data() + worker * own_size;

  // A lone worker's array already lies in the order of the ranks.
  const float* const send = hosted_.count > 1 ? send_.data() : mine_[0] + block.begin;
  processes_.exchange({send, hosted_.count * block.size()}, send_counts_,
                      {receive_.data(), num_workers_ * own_size}, receive_counts_);
}

void WorkerGroup::gather_values(std::size_t length) {
  hosted_values_.resize(hosted_.count * length);
  all_values_.resize(num_workers_ * length);
  for (int seat = 0; seat < hosted_.count; ++seat)
    std::copy_n(calls_[seat].values, length, hosted_values_.data() + seat * length);
  for (std::size_t rank = 0; rank < workers_of_rank_.size(); ++rank)
    receive_counts_[rank] = workers_of_rank_[rank] * length;
  processes_.gather_all(std::span<const double>(hosted_values_), std::span<double>(all_values_),
                        receive_counts_);
}

}  // namespace localbatch
