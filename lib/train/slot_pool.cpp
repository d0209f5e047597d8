#include "train/slot_pool.h"

#include <utility>

namespace localbatch {

SlotPool::SlotPool(const Model& model, const ExecutionOptions& options, int num_slots) {
  for (int i = 0; i < num_slots; ++i)
    free_.push_back(std::make_unique<ExecutionSlot>(model, options));
}

SlotPool::Lease SlotPool::borrow() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !free_.empty(); });
  std::unique_ptr<ExecutionSlot> slot = std::move(free_.back());
  free_.pop_back();
  return {*this, std::move(slot)};
}

SlotPool::Lease::Lease(SlotPool& pool, std::unique_ptr<ExecutionSlot> slot)
    : pool_(pool), slot_(std::move(slot)) {}

SlotPool::Lease::~Lease() {
  {
    const std::scoped_lock lock(pool_.mutex_);
    pool_.free_.push_back(std::move(slot_));
  }
  pool_.returned_.notify_one();
}

}  // namespace localbatch
