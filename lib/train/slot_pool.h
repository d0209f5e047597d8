#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "data/evaluated_samples.h"
#include "nn/network.h"

namespace localbatch {

/// What is large and belongs to nobody: a network, and the memory of the batch that it sees.
class ExecutionSlot {
 public:
  ExecutionSlot(const Model& model, const ExecutionOptions& options)
      : network_(model.make_network(options)), memory_(model.sample(), options.max_samples) {}

  Network& network() { return *network_; }

  /// Fills the memory with these training samples, on all threads of the network. Of several
  /// failures the one of the first sample is thrown.
  Batch fill_training(const Dataset& dataset, std::span<const Draw> draws, std::uint64_t seed);

  /// Fills the memory with samples first .. first + count - 1 of an evaluation on a set, without
  /// those that are damaged and to be left out.
  Batch fill_evaluated(const Dataset& dataset, EvaluatedSet set, const EvaluatedSamples& samples,
                       std::size_t first, std::size_t count);

 private:
  std::unique_ptr<Network> network_;
  BatchMemory memory_;
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
