#pragma once

#include <cstddef>
#include <span>

#include "core/aligned_buffer.h"
#include "core/batch.h"
#include "core/channel_block.h"
#include "nn/execution_plan.h"
#include "nn/network.h"
#include "nn/team.h"

namespace localbatch {

/// A stretch of a micro-batch.
struct Images {
  int first = 0;
  int count = 0;
};

/// Some channels of some images. Layers that cut their work by channels speak about all images at
/// once, those that cut it by images about all channels.
struct Region {
  Images images;
  int first_channel = 0;
  int channels = 0;
};

/// The source of batch norm's means and variances. A backward pass follows one with those of the
/// micro-batch.
enum class BatchNormMoments { kRunning, kMicroBatch };

/// A forward pass over a micro-batch as a layer sees it. The flat arrays belong to the worker that
/// load() was called for.
struct ForwardPass {
  int images = 0;
  BatchNormMoments batch_norm = BatchNormMoments::kRunning;
  /// The share by which batch norm's running moments move towards those of the micro-batch: 0 .. 1.
  double running_momentum = 0;
  std::span<const float> parameters;
  std::span<float> running_moments;
};

/// A backward pass over a micro-batch, and what it is to compute. Every layer with parameters adds
/// its part to the sums of each sample; inside a layer, one thread at a time works on a sample.
struct BackwardPass {
  int images = 0;
  std::span<const float> parameters;
  std::span<float> gradient;
  GradientUse use = GradientUse::kAdd;
  const SampleSums* samples = nullptr;  ///< null: not wanted

  bool adds() const { return use == GradientUse::kAdd; }
};

/// Memory that a layer works with, beside the values.
struct MemoryNeeds {
  std::size_t thread_bytes = 0;      ///< frames, for every thread
  std::size_t scratchpad_bytes = 0;  ///< scratchpad of oneDNN, for every thread
  std::size_t shared_floats = 0;     ///< scratch of the team
  std::size_t own_bytes = 0;         ///< what the layer keeps: weights in other layouts, sums
};

/// One stage of the network. Its values are bound when it is made (below).
///
/// `forward` and `backward` run a layer over the whole micro-batch; inside, it works slice by slice
/// of images so that a slice stays in the cache. The other functions are what a layer does for its
/// neighbours while their slice is there; normalizations alone need them.
class Layer {
 public:
  virtual ~Layer() = default;

  virtual MemoryNeeds needs() const { return {}; }

  /// Called when parameters have changed, before the next pass; on any thread of the team, beside
  /// other layers.
  virtual void load(std::span<const float> /*parameters*/, Thread& /*thread*/) {}

  virtual void forward(Team& team, const ForwardPass& pass) = 0;

  /// Adds to the gradient of the parameters and contributes to the diffs of the sources.
  virtual void backward(Team& team, const BackwardPass& pass) = 0;

  /// Computes these images of the layer's output, which is not stored.
  virtual void compute(Images images, std::byte* dst, Thread& thread);

  /// A region of the source has just been written.
  virtual void observe(const Region& region, const ForwardPass& pass, Thread& thread);

  /// The diff of the layer's output is complete in this region.
  virtual void observe_diff(const Region& region, Thread& thread);

  /// Computes the diff of the source, which is not stored, as an array of this region alone.
  virtual void compute_diff(const Region& region, std::byte* diff_src, Thread& thread);
};

/// One value of the network for a whole micro-batch, with the gradient of the loss by it (diff).
/// Images follow each other; inside an image the order is [C/block][H][W][block], or plain
/// [C][H][W] for the input of the network and for feature vectors.
struct Value {
  ImageShape shape;
  std::size_t element_size = sizeof(float);  ///< f32, or Bfloat16
  Storage storage = Storage::kWhenItsLayerRuns;
  const std::byte* values = nullptr;  ///< null: not stored
  std::byte* diff = nullptr;          ///< null: not stored, or not needed
  AlignedBuffer<std::byte> memory;    ///< holds the values
  Layer* producer = nullptr;          ///< null: the network's input
  Layer* observer = nullptr;          ///< the normalization that reads it, if one does

  std::size_t image_bytes() const { return shape.size() * element_size; }
  bool is_stored() const { return storage != Storage::kCaller && storage != Storage::kNever; }
};

/// A region of all channels.
inline Region all_channels(Images images, const ImageShape& shape) {
  return {.images = images, .first_channel = 0, .channels = shape.channels};
}

/// A value as seen by the layer that computes it.
template <class T>
class Destination {
 public:
  explicit Destination(Value& value) : value_(&value) {}

  const ImageShape& shape() const { return value_->shape; }

  T* values(Images images) const {
    return reinterpret_cast<T*>(value_->memory.data()) + offset(images);
  }

  /// To be called for every region that has been written, while it is still in the cache.
  void written(const Region& region, const ForwardPass& pass, Thread& thread) const {
    if (value_->observer != nullptr) value_->observer->observe(region, pass, thread);
  }

  /// The diff of these images, in the thread's innermost frame if it is not stored.
  const T* diff(Images images, Thread& thread) const {
    if (value_->diff != nullptr) return reinterpret_cast<const T*>(value_->diff) + offset(images);
    T* const diff = thread.take<T>(static_cast<std::size_t>(images.count) * shape().size());
    value_->observer->compute_diff(all_channels(images, shape()),
                                   reinterpret_cast<std::byte*>(diff), thread);
    return diff;
  }

  /// The diff of some channels as an array of its own, in the thread's innermost frame.
  const T* channels_of_diff(const Region& region, Thread& thread) const;

  bool is_stored() const { return value_->values != nullptr; }

  /// The stored diff; only for layers whose diff is always stored.
  T* stored_diff(Images images) const {
    return reinterpret_cast<T*>(value_->diff) + offset(images);
  }

 private:
  std::size_t offset(Images images) const {
    return static_cast<std::size_t>(images.first) * shape().size();
  }

  Value* value_;
};

/// A value as seen by a layer that reads it. T is the type that the layer computes with; the
/// network's input is f32 and is converted if need be.
template <class T>
class Source {
 public:
  Source(Value& value, const SourcePlan& plan) : value_(&value), plan_(plan) {}

  const ImageShape& shape() const { return value_->shape; }
  bool is_stored() const { return value_->storage != Storage::kNever; }
  bool is_input() const { return value_->storage == Storage::kCaller; }

  /// The values of these images, in the thread's innermost frame if they are not stored.
  const T* values_forward(Images images, Thread& thread) const {
    if (value_->storage == Storage::kAtFirstRead && plan_.first_reader)
      value_->producer->compute(images, value_->memory.data() + byte_offset(images), thread);
    return values_backward(images, thread);
  }
  const T* values_backward(Images images, Thread& thread) const;

  /// The stored values; only for layers that observe their source.
  const T* stored(Images images) const {
    return reinterpret_cast<const T*>(value_->values + byte_offset(images));
  }
  bool diff_is_stored() const { return value_->diff != nullptr; }

  /// Computes these images of a value that is not stored, into an array of all images.
  void compute(Images images, T* all, Thread& thread) const {
    T* const dst = all + static_cast<std::size_t>(images.first) * shape().size();
    value_->producer->compute(images, reinterpret_cast<std::byte*>(dst), thread);
  }

  /// How a contribution to the diff is handed over, and its destination.
  DiffUse diff_use() const { return plan_.diff; }
  T* diff(Images images) const { return reinterpret_cast<T*>(value_->diff + byte_offset(images)); }

  /// Adds or writes a contribution that was computed in another array.
  void contribute(Images images, const T* contribution) const;

  /// To be called for every region that has got its contribution, while it is still in the cache.
  void diff_written(const Region& region, Thread& thread) const {
    if (plan_.first_reader && value_->producer != nullptr)
      value_->producer->observe_diff(region, thread);
  }

  /// Bytes of scratch that values_...() may take for so many images, including what the producing
  /// layer takes.
  std::size_t scratch(int images) const {
    return 2 * scratch_bytes<float>(static_cast<std::size_t>(images) * shape().size());
  }

 private:
  std::size_t byte_offset(Images images) const {
    return static_cast<std::size_t>(images.first) * value_->image_bytes();
  }

  Value* value_;
  SourcePlan plan_;
};

}  // namespace localbatch
