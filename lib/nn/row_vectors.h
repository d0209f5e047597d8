#pragma once

#include <cstddef>
#include <utility>

#include "core/vector.h"

namespace localbatch {

namespace detail {
template <int... kLane>
constexpr Vector number_lanes(std::integer_sequence<int, kLane...>) {
  return Vector{static_cast<float>(kLane)...};
}
/// 0, 1, 2, ..
constexpr Vector kLanes = number_lanes(std::make_integer_sequence<int, kChannelBlock>());
}  // namespace detail

/// A vector that lies wholly in its row.
struct AllLanes {
  template <class T>
  Vector load(const T* from) const {
    return localbatch::load(from);
  }
  template <class T>
  void store(T* to, Vector value) const {
    localbatch::store(to, value);
  }
  Vector keep(Vector value, Vector /*other*/) const { return value; }
};

/// The end of a row: `count` numbers, fewer than a vector has. Others are read as zero and not
/// written.
struct FirstLanes {
  std::ptrdiff_t count;

  Vector load(const float* from) const { return load_first(from, count); }
  template <class T>
  void store(T* to, Vector value) const {
    store_first(to, value, count);
  }
  /// `value` in these lanes.
  Vector keep(Vector value, Vector other) const {
    return detail::kLanes < static_cast<float>(count) ? value : other;
  }
};

/// Calls visit(first, lanes) for the vectors of a row of `width` numbers, from its first number on.
/// `lanes` loads and stores what lies in the row.
template <class Visit>
inline void for_each_vector(std::ptrdiff_t width, Visit visit) {
  std::ptrdiff_t first = 0;
  for (; first + kChannelBlock <= width; first += kChannelBlock) visit(first, AllLanes{});
  if (first < width) visit(first, FirstLanes{width - first});
}

}  // namespace localbatch
