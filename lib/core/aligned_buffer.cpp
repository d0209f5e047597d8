#include "core/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace localbatch {

template <class T>
AlignedBuffer<T>::AlignedBuffer(std::size_t size) : size_(size) {
  if (size == 0) return;
  const std::size_t alignment = size * sizeof(T) >= kHugePage ? kHugePage : kCacheLine;
  const std::size_t bytes = allocated_bytes(size * sizeof(T));
  void* const memory = std::aligned_alloc(alignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  // If the system refuses, only speed is lost.
  if (alignment == kHugePage) static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
  std::memset(memory, 0, bytes);
  data_.reset(static_cast<T*>(memory));
}

template <class T>
void AlignedBuffer<T>::Free::operator()(T* data) const {
  std::free(data);
}

template class AlignedBuffer<float>;
template class AlignedBuffer<double>;
template class AlignedBuffer<std::byte>;

}  // namespace localbatch
