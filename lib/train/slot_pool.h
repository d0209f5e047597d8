#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "nn/network.h"

namespace localbatch {

/// What is large and belongs to nobody: a network's primitives and activations with the arrays of
/// its input.
struct ExecutionSlot {
  ExecutionSlot(const Model& model, const ExecutionOptions& options)
      : network(model, options),
        images(static_cast<std::size_t>(options.max_images) * model.input().size()),
        labels(static_cast<std::size_t>(options.max_images)) {}

  Network network;
  AlignedBuffer<float> images;
  std::vector<Label> labels;
};

/// How many of a rank's workers compute at the same time: as many as its cores have threads for.
inline int execution_slots(int cores, int threads_per_worker, int hosted_workers) {
  return std::clamp(cores / threads_per_worker, 1, std::max(1, hosted_workers));
}

/// The execution slots of one process, as many as its cores allow. Workers borrow one for a local
/// step, so memory for activations does not grow with the number of workers.
class SlotPool {
 public:
  SlotPool(const Model& model, const ExecutionOptions& options, int num_slots);

  /// A borrowed slot, given back when it goes out of scope.
  class Lease {
   public:
    Lease(SlotPool& pool, std::unique_ptr<ExecutionSlot> slot);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    ExecutionSlot* operator->() const { return slot_.get(); }
    ExecutionSlot& operator*() const { return *slot_; }

   private:
    SlotPool& pool_;
    std::unique_ptr<ExecutionSlot> slot_;
  };

  /// Waits until a slot is free. Nobody may wait for other workers while holding one.
  Lease borrow();

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<ExecutionSlot>> free_;
};

}  // namespace localbatch
