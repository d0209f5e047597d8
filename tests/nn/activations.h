#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/random.h"
#include "core/vector.h"

namespace localbatch {

/// The nearest value that T holds, ties to even, by arithmetic on the number itself. Bfloat16 has
/// 8 bits of precision and f32's range; subnormals are not handled.
template <class T>
T rounded(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    float nearest = value;
    if (std::isfinite(value) && value != 0) {
      int exponent = 0;
      std::frexp(value, &exponent);
      const double unit = std::ldexp(1.0, exponent - 8);
      const double multiple = std::nearbyint(value / unit) * unit;
      const double largest = std::numeric_limits<float>::max();
      nearest = std::abs(multiple) > largest
                    ? std::copysign(std::numeric_limits<float>::infinity(), value)
                    : static_cast<float>(multiple);
    }
    std::uint32_t bits = 0;
    std::memcpy(&bits, &nearest, sizeof bits);
    return {static_cast<std::uint16_t>(bits >> 16)};
  }
}

/// Half the distance of two neighbouring values of T, relative to them.
template <class T>
constexpr double kRounding = std::is_same_v<T, float> ? 0x1p-24 : 0x1p-8;

/// An array of T from f32.
template <class T>
std::vector<T> from_floats(const std::vector<float>& floats) {
  std::vector<T> values;
  values.reserve(floats.size());
  for (const float value : floats) values.push_back(rounded<T>(value));
  return values;
}

/// Both NaN, or the same number.
inline bool same(float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); }

template <class T>
bool all_same(const std::vector<T>& found, const std::vector<float>& expected) {
  bool equal = found.size() == expected.size();
  for (std::size_t i = 0; i < found.size() && equal; ++i)
    equal = same(to_float(found[i]), to_float(rounded<T>(expected[i])));
  return equal;
}

/// Lengths of arrays that fill their last vector register or do not.
constexpr std::array<std::size_t, 9> kCounts{0, 1, 7, 15, 16, 17, 31, 48, 1003};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Normal numbers, a function of the seed.
template <class T>
std::vector<T> normal_values(std::size_t count, std::uint64_t seed, float mean = 0,
                             float deviation = 1) {
  RandomStream random(seed, Purpose::kTest);
  std::vector<T> values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(rounded<T>(mean + deviation * random.normal()));
  return values;
}

}  // namespace localbatch
