#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace localbatch {

inline constexpr std::size_t kCacheLine = 64, kHugePage = std::size_t{2} << 20;

/// The bytes that an array of this size occupies: whole cache lines, or whole huge pages from 2 MiB
/// on.
constexpr std::size_t allocated_bytes(std::size_t bytes) {
  const std::size_t unit = bytes >= kHugePage ? kHugePage : kCacheLine;
  return (bytes + unit - 1) / unit * unit;
}

/// An array of zeros that vector instructions and large pages like: aligned to 64 bytes, or to 2
/// MiB and advised to huge pages from that size on, because a training step walks through more
/// memory than the processor has addresses of small pages for.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size);

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::span<T> span() { return {data_.get(), size_}; }
  std::span<const T> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(T* data) const;
  };
  std::unique_ptr<T[], Free> data_;
  std::size_t size_ = 0;
};

extern template class AlignedBuffer<float>;
extern template class AlignedBuffer<double>;
extern template class AlignedBuffer<std::byte>;

}  // namespace localbatch
