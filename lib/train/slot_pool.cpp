#include "train/slot_pool.h"

#include <exception>
#include <utility>

namespace localbatch {

namespace {

/// Calls fill(i) for i < count on all threads of the network.
template <class Fill>
void fill_each(Network& network, std::size_t count, const Fill& fill) {
  std::vector<std::exception_ptr> failures(count);
  network.for_each(static_cast<int>(count), [&](int index) {
    const auto i = static_cast<std::size_t>(index);
    try {
      fill(i);
    } catch (...) {
      failures[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

Batch ExecutionSlot::fill_training(const Dataset& dataset, std::span<const Draw> draws,
                                   std::uint64_t seed) {
  fill_each(*network_, draws.size(), [&](std::size_t i) {
    dataset.write_training_sample(draws[i], seed, memory_.place(i));
  });
  return memory_.batch(draws.size());
}

Batch ExecutionSlot::fill_evaluated(const Dataset& dataset, EvaluatedSet set,
                                    const EvaluatedSamples& samples, std::size_t first,
                                    std::size_t count) {
  std::vector<char> is_there(count);
  fill_each(*network_, count, [&](std::size_t i) {
    is_there[i] = dataset.write_evaluated_sample(set, samples[first + i], memory_.place(i)) ? 1 : 0;
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (is_there[i] == 0) continue;
    if (kept < i) memory_.copy(i, kept);
    ++kept;
  }
  return memory_.batch(kept);
}

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
