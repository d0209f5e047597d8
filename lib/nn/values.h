#pragma once

#include "core/aligned_buffer.h"
#include "core/shape.h"
#include "nn/execution_plan.h"
#include "nn/layer.h"
#include "nn/vector.h"

namespace localbatch {

/// One value of the network for a whole micro-batch, with the gradient of the loss by it (diff).
/// Images follow each other; inside an image the order is [C/block][H][W][block], or plain
/// [C][H][W] for the input of the network and for feature vectors.
struct Value {
  ImageShape shape;
  std::size_t element_size = sizeof(float);  ///< f32, or Bfloat16
  Storage storage = Storage::kWhenItsLayerRuns;
  const std::byte* values = nullptr;  ///< null: not stored
  std::byte* diff = nullptr;          ///< null: not stored, or not needed
  AlignedBuffer<std::byte> memory;    ///< of the values
  Layer* producer = nullptr;          ///< null: the network's input
  Layer* observer = nullptr;          ///< the normalization that reads it, if one does

  std::size_t image_bytes() const { return shape.size() * element_size; }
  bool is_stored() const { return storage != Storage::kCaller && storage != Storage::kNever; }
};

/// A region of all channels.
inline Region all_channels(Images images, const ImageShape& shape) {
  return {.images = images, .first_channel = 0, .channels = shape.channels};
}

/// A value as the layer sees it that computes it.
template <class T>
class Destination {
 public:
  explicit Destination(Value& value) : value_(&value) {}

  const ImageShape& shape() const { return value_->shape; }

  T* values(Images images) const {
    return reinterpret_cast<T*>(value_->memory.data()) + offset(images);
  }

  /// To be called for every region that has been written, when it still is in the cache.
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

  /// For layers whose diff is stored always.
  T* stored_diff(Images images) const {
    return reinterpret_cast<T*>(value_->diff) + offset(images);
  }

 private:
  std::size_t offset(Images images) const {
    return static_cast<std::size_t>(images.first) * shape().size();
  }

  Value* value_;
};

/// A value as a layer sees it that reads it. T is what the layer computes with; the network's input
/// is f32 and is converted if need be.
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

  /// For layers that are told when their source has been stored.
  const T* stored(Images images) const {
    return reinterpret_cast<const T*>(value_->values + byte_offset(images));
  }
  bool diff_is_stored() const { return value_->diff != nullptr; }

  /// Computes these images of a value that is not stored, into an array of all images.
  void compute(Images images, T* all, Thread& thread) const {
    T* const dst = all + static_cast<std::size_t>(images.first) * shape().size();
    value_->producer->compute(images, reinterpret_cast<std::byte*>(dst), thread);
  }

  /// What to do with a contribution to the diff, and where it goes.
  DiffUse diff_use() const { return plan_.diff; }
  T* diff(Images images) const { return reinterpret_cast<T*>(value_->diff + byte_offset(images)); }

  /// Adds or writes a contribution that was computed elsewhere.
  void contribute(Images images, const T* contribution) const;

  /// To be called for every region that has got its contribution, when it still is in the cache.
  void diff_written(const Region& region, Thread& thread) const {
    if (plan_.first_reader && value_->producer != nullptr)
      value_->producer->observe_diff(region, thread);
  }

  /// Scratch that values_...() of so many images may take, in bytes, its layer's needs included.
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
