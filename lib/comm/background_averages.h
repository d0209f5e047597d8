#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "comm/communicator.h"
#include "comm/mailbox.h"
#include "comm/rank_average.h"

namespace localbatch {

/// The averages of the workers of this process that are made while they do something else, one
/// after the other, on a thread of their own: it begins one as soon as all hosted workers have
/// brought their arrays. Messages travel on the side channel of the processes, so that they meet no
/// others. The bits are those of any other average. It works on copies, so a worker may fail, and
/// its arrays with it, at any time.
class BackgroundAverages {
 public:
  /// Needs nothing but its counters before the first start().
  BackgroundAverages(int num_workers, ProcessGroup& processes);
  ~BackgroundAverages();
  BackgroundAverages(const BackgroundAverages&) = delete;
  BackgroundAverages& operator=(const BackgroundAverages&) = delete;

  /// Brings the array of a hosted worker for the next average that it has not started.
  void start(int local_index, const Averaged& what);

  /// Returns when the first mean that this worker has started and not finished is in its place.
  /// Throws what ended it, and Abandoned when another worker of this process has failed.
  void finish(int local_index);

  void abandon();

  /// Between averages alone.
  const Ledger& ledger() const { return mailbox_.ledger(); }

 private:
  struct Job {
    std::vector<Averaged> calls;             ///< by local index
    std::vector<std::vector<float>> arrays;  ///< copies of theirs
    std::vector<float> mean;
    std::size_t has_come = 0;  ///< workers that have brought theirs
    std::size_t has_gone = 0;  ///< workers that have the mean
    bool done = false;
  };

  void add_job();
  void work();
  void average(Job& job);

  int num_workers_;
  Mailbox mailbox_;
  // Those of the thread, made there: one of them, where there are several ranks or one.
  std::optional<RankAverage> rank_average_;
  std::optional<SubtreeMeans> mean_of_all_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<Job> spare_;
  std::size_t removed_ = 0;                      ///< jobs before those
  std::vector<std::size_t> started_, finished_;  ///< jobs, by local index
  std::exception_ptr failure_;
  bool abandoned_ = false, ends_ = false;
  std::jthread thread_;
};

}  // namespace localbatch
