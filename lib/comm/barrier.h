#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

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

}  // namespace localbatch
