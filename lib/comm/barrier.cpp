#include "comm/barrier.h"

#include "comm/communicator.h"

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
  // A meeting that took place is never abandoned afterwards: what follows it may read arrays of
  // other workers, which live as long as their workers stay in the collective.
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

}  // namespace localbatch
