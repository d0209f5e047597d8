#pragma once

#include <cstddef>

namespace localbatch {

/// The elements begin .. end - 1 of an array.
struct Slice {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
};

/// Slice `index` of `length` elements cut into `parts` slices whose sizes differ by at most one.
inline Slice slice_of(std::size_t length, std::size_t index, std::size_t parts) {
  return {.begin = index * length / parts, .end = (index + 1) * length / parts};
}

}  // namespace localbatch
