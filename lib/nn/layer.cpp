#include "nn/layer.h"

#include <cstring>
#include <type_traits>

#include "core/error.h"
#include "nn/elementwise.h"

namespace localbatch {

void Layer::compute(Images, std::byte*, Thread&) {
  internal_error("this layer's output is stored");
}
void Layer::observe(const Region&, const ForwardPass&, Thread&) {}
void Layer::observe_diff(const Region&, Thread&) {}
void Layer::compute_diff(const Region&, std::byte*, Thread&) {
  internal_error("this source's diff is stored");
}

template <class T>
const T* Source<T>::values_backward(Images images, Thread& thread) const {
  const std::size_t count = static_cast<std::size_t>(images.count) * shape().size();
  if (value_->storage == Storage::kNever) {
    T* const values = thread.take<T>(count);
    value_->producer->compute(images, reinterpret_cast<std::byte*>(values), thread);
    return values;
  }
  const std::byte* const stored = value_->values + byte_offset(images);
  if constexpr (!std::is_same_v<T, float>) {
    if (value_->element_size == sizeof(float)) {
      T* const values = thread.take<T>(count);
      convert(reinterpret_cast<const float*>(stored), count, values);
      return values;
    }
  }
  return reinterpret_cast<const T*>(stored);
}

template <class T>
void Source<T>::contribute(Images images, const T* contribution) const {
  const std::size_t count = static_cast<std::size_t>(images.count) * shape().size();
  if (plan_.diff == DiffUse::kAdd) {
    add(contribution, count, diff(images));
  } else {
    std::memcpy(diff(images), contribution, count * sizeof(T));
  }
}

template <class T>
const T* Destination<T>::channels_of_diff(const Region& region, Thread& thread) const {
  const std::size_t pixels = shape().size() / static_cast<std::size_t>(shape().channels);
  const std::size_t count = static_cast<std::size_t>(region.channels) * pixels;
  T* const diff = thread.take<T>(static_cast<std::size_t>(region.images.count) * count);
  if (value_->diff == nullptr) {
    value_->observer->compute_diff(region, reinterpret_cast<std::byte*>(diff), thread);
    return diff;
  }
  for (int i = 0; i < region.images.count; ++i)
    std::memcpy(diff + static_cast<std::size_t>(i) * count,
                stored_diff({region.images.first + i, 1}) +
                    static_cast<std::size_t>(region.first_channel) * pixels,
                count * sizeof(T));
  return diff;
}

template class Destination<float>;
template class Destination<Bfloat16>;
template class Source<float>;
template class Source<Bfloat16>;

}  // namespace localbatch
