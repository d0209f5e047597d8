#include "comm/workers.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/communicator.h"
#include "comm/mean_tree.h"
#include "core/error.h"
#include "core/stopwatch.h"

namespace localbatch {

Barrier::Barrier(int num_threads) : num_threads_(num_threads) {}

void Barrier::wait() {
  std::unique_lock lock(mutex_);
  if (abandoned_) throw Abandoned("another worker of this process has failed");
  if (++num_waiting_ == num_threads_) {
    num_waiting_ = 0;
    ++num_passed_;
    lock.unlock();
    changed_.notify_all();
    return;
  }
  const std::uint64_t arrived_at = num_passed_;
  changed_.wait(lock, [&] { return num_passed_ != arrived_at || abandoned_; });
  // A barrier that all threads have reached is never abandoned afterwards: the code behind it may
  // read arrays of other workers, which live as long as their workers stay in the collective.
  if (num_passed_ != arrived_at) return;
  throw Abandoned("another worker of this process has failed");
}

void Barrier::abandon() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
}

namespace {

/// Stores the first exception and reports it to `on_failure`. It is set before the group is
/// abandoned, so an Abandoned always comes later than its cause.
class FirstError {
 public:
  explicit FirstError(const std::function<void(std::exception_ptr)>& on_failure)
      : on_failure_(on_failure) {}

  void set(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (error_) return;
    error_ = std::move(error);
    if (on_failure_) on_failure_(error_);
  }

  /// May be called after all threads have ended.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const std::function<void(std::exception_ptr)>& on_failure_;
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
                 const std::function<void(Communicator&)>& body,
                 const std::function<void(std::exception_ptr)>& on_failure) {
  check_ranks(num_workers, processes.num_ranks());
  WorkerGroup group(num_workers, processes);
  FirstError first_error(on_failure);
  const auto run = [&](int local_index) {
    try {
      ThreadCommunicator communicator(group, local_index);
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
      for (int local_index = 0; local_index < group.hosted().count; ++local_index)
        threads.emplace_back(run, local_index);
    } catch (...) {  // no thread left: those that have started must not wait for it
      first_error.set(std::current_exception());
      group.abandon();
    }
  }
  first_error.rethrow();
}

namespace {

/// Number of means that are still in the cache when they are copied to the other workers.
constexpr std::size_t kCopied = 8192;

}  // namespace

WorkerGroup::WorkerGroup(int num_workers, ProcessGroup& processes)
    : num_workers_(num_workers),
      hosted_(hosted_workers(num_workers, processes.rank(), processes.num_ranks())),
      mailbox_(processes),
      background_(num_workers, processes),
      barrier_(hosted_.count),
      calls_(static_cast<std::size_t>(hosted_.count)),
      gathered_(calls_.size()),
      scattered_(calls_.size()) {
  const int num_ranks = processes.num_ranks();
  for (int rank = 0; rank < num_ranks; ++rank)
    workers_of_rank_.push_back(
        static_cast<std::size_t>(hosted_workers(num_workers, rank, num_ranks).count));
  if (num_ranks > 1) {
    rank_average_.emplace(num_workers, mailbox_);
    return;
  }
  mean_of_all_ = mean_of_all_workers(num_workers);
}

double WorkerGroup::exchange(int local_index, const Exchange& what) {
  enter(local_index, what);
  if (local_index == 0) gather_numbers(what);
  if (rank_average_) {
    if (local_index == 0) average_across_ranks();
    barrier_.wait();
    if (local_index != 0)
      for (std::size_t i = 0; i < what.averaged.size(); ++i)
        std::ranges::copy(calls_[0]->averaged[i].mean, what.averaged[i].mean.begin());
  } else {
    for (std::size_t i = 0; i < what.averaged.size(); ++i) average_in_process(local_index, i);
    barrier_.wait();
  }
  std::ranges::copy(all_numbers_, what.all.begin());
  const double all_came = all_came_;
  barrier_.wait();
  return all_came;
}

void WorkerGroup::enter(int local_index, const Exchange& what) {
  check(what.all.size() == what.mine.size() * static_cast<std::size_t>(num_workers_),
        "there is room for everybody's numbers");
  for (const Averaged& array : what.averaged)
    check(array.mine.size() == array.mean.size(), "a mean has the length of what is averaged");
  calls_[local_index] = &what;
  barrier_.wait();
  if (local_index != 0) return;
  const auto is_alike = [&](const Exchange* other) {
    return other->mine.size() == what.mine.size() &&
           std::ranges::equal(
               other->averaged, what.averaged, std::equal_to(),
               [](const Averaged& array) { return array.mine.size(); },
               [](const Averaged& array) { return array.mine.size(); });
  };
  check(std::ranges::all_of(calls_, is_alike),
        "all workers call the same collective with equally long arrays");
}

/// Ranks wait for each other here even if there are no numbers to exchange.
void WorkerGroup::gather_numbers(const Exchange& what) {
  const std::size_t length = what.mine.size();
  hosted_numbers_.clear();
  for (const Exchange* const call : calls_)
    hosted_numbers_.insert(hosted_numbers_.end(), call->mine.begin(), call->mine.end());
  all_numbers_.resize(static_cast<std::size_t>(num_workers_) * length);
  std::vector<std::size_t> counts;
  for (const std::size_t workers : workers_of_rank_) counts.push_back(workers * length);
  mailbox_.all_gather(hosted_numbers_, all_numbers_, counts, what.traffic);
  all_came_ = monotonic_seconds();
}

/// No other thread reads or writes the slice of this local index in any array.
void WorkerGroup::average_in_process(int local_index, std::size_t array) {
  std::vector<const float*> rows;
  std::vector<float*> means;
  for (const Exchange* const call : calls_) {
    rows.push_back(call->averaged[array].mine.data());
    means.push_back(call->averaged[array].mean.data());
  }
  const Averaged& own = calls_[local_index]->averaged[array];
  const Slice slice = slice_of(own.mine.size(), static_cast<std::size_t>(local_index),
                               calls_.size(), block_of(own.payload));
  for (std::size_t begin = slice.begin; begin < slice.end; begin += kCopied) {
    const Slice part{begin, std::min(begin + kCopied, slice.end)};
    mean_of_all_.compute(rows, part, {.payload = own.payload, .key = own.rounding_key},
                         {means.data(), 1});
    for (std::size_t other = 1; other < means.size(); ++other)
      std::copy_n(means[0] + part.begin, part.size(), means[other] + part.begin);
  }
}

void WorkerGroup::average_across_ranks() {
  std::vector<RankVector> vectors;
  for (std::size_t i = 0; i < calls_[0]->averaged.size(); ++i) {
    const Averaged& own = calls_[0]->averaged[i];
    RankVector& vector = vectors.emplace_back(RankVector{.rows = {},
                                                         .mean = own.mean.data(),
                                                         .length = own.mine.size(),
                                                         .payload = own.payload,
                                                         .rounding_key = own.rounding_key,
                                                         .traffic = own.traffic});
    for (const Exchange* const call : calls_) vector.rows.push_back(call->averaged[i].mine.data());
  }
  rank_average_->run(vectors);
}

void ThreadCommunicator::exchange(const Exchange& what) {
  const double came = monotonic_seconds();
  waited_ += std::max(0.0, group_.exchange(local_index_, what) - came);
}

Ledger WorkerGroup::ledger() const {
  Ledger both = mailbox_.ledger();
  both += background_.ledger();
  return both;
}

void WorkerGroup::abandon() {
  barrier_.abandon();
  background_.abandon();
}

void WorkerGroup::gather(int local_index, std::span<const std::byte> mine,
                         const std::function<void(int, std::span<const std::byte>)>& take) {
  gathered_[local_index] = mine;
  barrier_.wait();
  if (local_index == 0 && mailbox_.rank() != 0)
    for (const std::span<const std::byte> bytes : gathered_)
      mailbox_.send_all(0, bytes, Traffic::kCheckpoint);
  if (local_index == 0 && mailbox_.rank() == 0) {
    int worker = 0;
    for (const std::span<const std::byte> bytes : gathered_) take(worker++, bytes);
    for (int rank = 1; rank < mailbox_.num_ranks(); ++rank)
      for (std::size_t i = 0; i < workers_of_rank_[rank]; ++i)
        take(worker++, mailbox_.receive_all(rank));
  }
  barrier_.wait();
}

Communicator::Bytes WorkerGroup::scatter(int local_index,
                                         const std::function<Communicator::Bytes(int)>& give) {
  barrier_.wait();
  if (local_index == 0 && mailbox_.rank() != 0)
    for (Communicator::Bytes& bytes : scattered_) bytes = mailbox_.receive_all(0);
  if (local_index == 0 && mailbox_.rank() == 0) {
    int worker = 0;
    for (Communicator::Bytes& bytes : scattered_) bytes = give(worker++);
    for (int rank = 1; rank < mailbox_.num_ranks(); ++rank)
      for (std::size_t i = 0; i < workers_of_rank_[rank]; ++i)
        mailbox_.send_all(rank, give(worker++), Traffic::kCheckpoint);
  }
  barrier_.wait();
  return std::move(scattered_[local_index]);
}

}  // namespace localbatch
