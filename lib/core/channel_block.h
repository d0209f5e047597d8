#pragma once

#include <bit>
#include <cstdint>

namespace localbatch {

/// Channels that lie together in memory, one vector register of them: the blocked layouts that
/// oneDNN's convolutions prefer (nChw16c with AVX-512, nChw8c without).
#ifdef __AVX512F__
constexpr int kChannelBlock = 16;
#else
constexpr int kChannelBlock = 8;
#endif

/// One pixel of a channel block. The compiler's vector extension: arithmetic works element by
/// element, on registers as wide as the machine has them, so one source serves every machine.
typedef float Vector __attribute__((vector_size(kChannelBlock * sizeof(float))));

/// The upper half of an f32: its range with 8 bits of precision. Storage only, arithmetic is f32.
struct Bfloat16 {
  std::uint16_t bits;
};

inline float to_float(Bfloat16 value) {
  return std::bit_cast<float>(std::uint32_t{value.bits} << 16);
}

/// The nearest one, ties to even; a NaN stays one.
inline Bfloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  return {static_cast<std::uint16_t>(value == value ? rounded : 0x7FC0U)};
}

}  // namespace localbatch
