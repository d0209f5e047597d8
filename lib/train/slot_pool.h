#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/aligned_buffer.h"
#include "nn/network.h"

namespace localbatch {

/// What is large and belongs to nobody: a network with the arrays of its input.
struct ExecutionSlot {
  ExecutionSlot(const Model& model, const ExecutionOptions& options)
      : network(model.make_network(options)),
        sample_shape(model.sample()),
        inputs(static_cast<std::size_t>(options.max_samples) * sample_shape.input_bytes()),
        targets(static_cast<std::size_t>(options.max_samples) * sample_shape.targets()) {}

  /// The first samples of the slot.
  Batch batch(int samples) const {
    const auto count = static_cast<std::size_t>(samples);
    return {.samples = samples,
            .inputs = inputs.span().first(count * sample_shape.input_bytes()),
            .targets = std::span(targets).first(count * sample_shape.targets())};
  }
  /// The input of sample i, an image.
  std::span<float> image(std::size_t i) {
    return {reinterpret_cast<float*>(inputs.data() + i * sample_shape.input_bytes()),
            sample_shape.image.size()};
  }

  std::unique_ptr<Network> network;
  SampleShape sample_shape;
  AlignedBuffer<std::byte> inputs;
  std::vector<std::int32_t> targets;
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
