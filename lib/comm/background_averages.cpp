#include "comm/background_averages.h"

#include <algorithm>
#include <array>
#include <utility>

#include "comm/workers.h"
#include "core/error.h"

namespace localbatch {

BackgroundAverages::BackgroundAverages(int num_workers, ProcessGroup& processes)
    : num_workers_(num_workers),
      mailbox_(processes.side_channel(), Mailbox::Waiting::kAsleep),
      started_(static_cast<std::size_t>(
          hosted_workers(num_workers, processes.rank(), processes.num_ranks()).count)),
      finished_(started_.size()) {}

BackgroundAverages::~BackgroundAverages() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
}

void BackgroundAverages::start(int local_index, const Averaged& what) {
  check(what.mine.size() == what.mean.size(), "a mean has the length of what is averaged");
  std::unique_lock lock(mutex_);
  const std::size_t place = started_[local_index]++ - removed_;
  if (place == jobs_.size()) add_job();
  Job& job = jobs_[place];  // it stays in its place until all have finished it
  lock.unlock();
  job.calls[local_index] = what;
  job.arrays[local_index].assign(what.mine.begin(), what.mine.end());
  lock.lock();
  job.has_come += 1;
  if (!thread_.joinable()) thread_ = std::jthread([this] { work(); });
  lock.unlock();
  changed_.notify_all();
}

/// With the memory of one that is over, if there is one: to ask for new pages takes longer than to
/// fill them.
void BackgroundAverages::add_job() {
  Job& job = jobs_.emplace_back();
  if (!spare_.empty()) {
    job = std::move(spare_.back());
    spare_.pop_back();
  }
  job.calls.resize(started_.size());
  job.arrays.resize(started_.size());
  job.has_come = job.has_gone = 0;
  job.done = false;
}

void BackgroundAverages::finish(int local_index) {
  std::unique_lock lock(mutex_);
  check(finished_[local_index] < started_[local_index], "what is finished was started");
  const std::size_t number = finished_[local_index]++;
  changed_.wait(lock, [&] { return failure_ || abandoned_ || jobs_[number - removed_].done; });
  Job& job = jobs_[number - removed_];
  if (!job.done && failure_) std::rethrow_exception(failure_);
  if (!job.done) throw Abandoned("another worker of this process has failed");
  std::ranges::copy(job.mean, job.calls[local_index].mean.begin());
  if (++job.has_gone < started_.size()) return;
  spare_.push_back(std::move(job));
  jobs_.pop_front();  // all workers finish in order, so this is the first
  removed_ += 1;
}

void BackgroundAverages::abandon() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
}

void BackgroundAverages::work() {
  std::unique_lock lock(mutex_);
  for (std::size_t number = 0;; ++number) {
    const auto has_come = [&] {
      return number - removed_ < jobs_.size() &&
             jobs_[number - removed_].has_come == started_.size();
    };
    changed_.wait(lock, [&] { return ends_ || abandoned_ || has_come(); });
    if (ends_ || abandoned_) return;
    Job& job = jobs_[number - removed_];
    lock.unlock();
    std::exception_ptr failure;
    try {
      average(job);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
    job.done = !failure;
    changed_.notify_all();
    if (failure) return;
  }
}

void BackgroundAverages::average(Job& job) {
  const Averaged& what = job.calls.front();
  const std::size_t length = what.mine.size();
  job.mean.resize(length);
  std::vector<const float*> rows;
  for (const std::vector<float>& array : job.arrays) {
    check(array.size() == length, "all workers average equally long arrays");
    rows.push_back(array.data());
  }
  if (mailbox_.num_ranks() > 1) {
    if (!rank_average_) rank_average_.emplace(num_workers_, mailbox_);
    const std::array<RankVector, 1> vector{{{.rows = std::move(rows),
                                             .mean = job.mean.data(),
                                             .length = length,
                                             .payload = what.payload,
                                             .rounding_key = what.rounding_key,
                                             .traffic = what.traffic}}};
    rank_average_->run(vector);
  } else {
    if (!mean_of_all_) mean_of_all_ = mean_of_all_workers(num_workers_);
    const std::array<float*, 1> mean{job.mean.data()};
    mean_of_all_->compute(rows, {0, length}, {.payload = what.payload, .key = what.rounding_key},
                          mean);
  }
}

}  // namespace localbatch
