#include "comm/thread_communicator.h"

#include <algorithm>

#include "core/error.h"

namespace localbatch {

namespace {

using Clock = std::chrono::steady_clock;

/// So many means are still in the cache when they are copied to the other workers.
constexpr std::size_t kCopied = 8192;

}  // namespace

WorkerGroup::WorkerGroup(int num_workers, ProcessGroup& processes, double patience)
    : num_workers_(num_workers),
      hosted_(hosted_workers(num_workers, processes.rank(), processes.num_ranks())),
      mailbox_(processes, patience),
      barrier_(hosted_.count),
      calls_(static_cast<std::size_t>(hosted_.count)),
      collected_(calls_.size()),
      dealt_(calls_.size()) {
  const int num_ranks = processes.num_ranks();
  for (int rank = 0; rank < num_ranks; ++rank)
    workers_of_rank_.push_back(
        static_cast<std::size_t>(hosted_workers(num_workers, rank, num_ranks).count));
  if (num_ranks > 1) {
    rank_average_.emplace(num_workers, mailbox_);
    return;
  }
  std::vector<Subtree> workers;
  workers.reserve(static_cast<std::size_t>(num_workers));
  for (int worker = 0; worker < num_workers; ++worker) workers.push_back({worker, 1});
  const Subtree all{0, num_workers};
  mean_of_all_ = SubtreeMeans(workers, {&all, 1});
}

Clock::time_point WorkerGroup::exchange(int seat, const Exchange& what) {
  meet(seat, what);
  if (seat == 0) gather_numbers(what);
  if (rank_average_) {
    if (seat == 0) average_across_ranks();
    barrier_.wait();
    if (seat != 0)
      for (std::size_t i = 0; i < what.averaged.size(); ++i)
        std::ranges::copy(calls_[0]->averaged[i].mean, what.averaged[i].mean.begin());
  } else {
    for (std::size_t i = 0; i < what.averaged.size(); ++i) average_in_process(seat, i);
    barrier_.wait();
  }
  std::ranges::copy(all_numbers_, what.all.begin());
  const Clock::time_point all_came = all_came_;
  barrier_.wait();
  return all_came;
}

void WorkerGroup::meet(int seat, const Exchange& what) {
  check(what.all.size() == what.mine.size() * static_cast<std::size_t>(num_workers_),
        "there is room for everybody's numbers");
  for (const Averaged& array : what.averaged)
    check(array.mine.size() == array.mean.size(), "a mean has the length of what is averaged");
  calls_[static_cast<std::size_t>(seat)] = &what;
  barrier_.wait();
  if (seat != 0) return;
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

/// Also where ranks without numbers wait for each other.
void WorkerGroup::gather_numbers(const Exchange& what) {
  const std::size_t length = what.mine.size();
  hosted_numbers_.clear();
  for (const Exchange* const call : calls_)
    hosted_numbers_.insert(hosted_numbers_.end(), call->mine.begin(), call->mine.end());
  all_numbers_.resize(static_cast<std::size_t>(num_workers_) * length);
  std::vector<std::size_t> counts;
  for (const std::size_t workers : workers_of_rank_) counts.push_back(workers * length);
  mailbox_.gather(hosted_numbers_, all_numbers_, counts, what.traffic);
  all_came_ = Clock::now();
}

/// Nobody else reads or writes this seat's slice of any array.
void WorkerGroup::average_in_process(int seat, std::size_t array) {
  std::vector<const float*> rows;
  std::vector<float*> means;
  for (const Exchange* const call : calls_) {
    rows.push_back(call->averaged[array].mine.data());
    means.push_back(call->averaged[array].mean.data());
  }
  const Averaged& own = calls_[static_cast<std::size_t>(seat)]->averaged[array];
  const Slice slice = slice_of(own.mine.size(), static_cast<std::size_t>(seat), calls_.size());
  for (std::size_t begin = slice.begin; begin < slice.end; begin += kCopied) {
    const Slice part{begin, std::min(begin + kCopied, slice.end)};
    mean_of_all_.compute(rows, part, own.payload, {means.data(), 1});
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
                                                         .traffic = own.traffic});
    for (const Exchange* const call : calls_) vector.rows.push_back(call->averaged[i].mine.data());
  }
  rank_average_->run(vectors);
}

void ThreadCommunicator::exchange(const Exchange& what) {
  const Clock::time_point came = Clock::now();
  waited_ += std::max(Clock::duration(0), group_.exchange(seat_, what) - came);
}

}  // namespace localbatch
