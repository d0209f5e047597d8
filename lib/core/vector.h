#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "core/channel_block.h"

namespace localbatch {

namespace detail {
typedef std::uint32_t VectorBits __attribute__((vector_size(kChannelBlock * sizeof(float))));
typedef std::uint16_t HalfBits __attribute__((vector_size(kChannelBlock * sizeof(Bfloat16))));
}  // namespace detail

inline Vector broadcast(float value) { return value - Vector{}; }

inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof value); }

/// The first `count` numbers, fewer than a vector has; the others are zero and not read.
inline Vector load_first(const float* from, std::ptrdiff_t count) {
  Vector value{};
#ifdef __AVX512F__
  reinterpret_cast<__m512&>(value) =
      _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1U), from);
#else
  std::memcpy(&value, from, static_cast<std::size_t>(count) * sizeof(float));
#endif
  return value;
}

/// The others are not written.
inline void store_first(float* to, Vector value, std::ptrdiff_t count) {
#ifdef __AVX512F__
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1U),
                        reinterpret_cast<const __m512&>(value));
#else
  std::memcpy(to, &value, static_cast<std::size_t>(count) * sizeof(float));
#endif
}

inline Vector load(const Bfloat16* from) {
  detail::HalfBits half;
  std::memcpy(&half, from, sizeof half);
  const detail::VectorBits bits = __builtin_convertvector(half, detail::VectorBits) << 16;
  Vector value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Rounds to the nearest, ties to even. NaN stays NaN.
inline void store(Bfloat16* to, Vector value) {
#if defined(__AVX512BF16__) && defined(__AVX512F__)
  const __m256bh half = _mm512_cvtneps_pbh(reinterpret_cast<const __m512&>(value));
  std::memcpy(to, &half, sizeof half);
#else
  detail::VectorBits bits;
  std::memcpy(&bits, &value, sizeof bits);
  const detail::VectorBits rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const detail::VectorBits quiet_nan = (bits >> 16) | 0x40U;
  const auto half = __builtin_convertvector(value == value ? rounded : quiet_nan, detail::HalfBits);
  std::memcpy(to, &half, sizeof half);
#endif
}

inline void store_first(Bfloat16* to, Vector value, std::ptrdiff_t count) {
  Bfloat16 values[kChannelBlock];
  store(values, value);
  std::memcpy(to, values, static_cast<std::size_t>(count) * sizeof(Bfloat16));
}

/// As it is, for those that take a Bfloat16 as well.
inline float to_float(float value) { return value; }

/// The larger one; `value` where it is NaN, so that a NaN is not swallowed.
inline Vector at_least(Vector value, Vector lowest) { return value < lowest ? lowest : value; }

/// While it lives, numbers too small for normal f32 are zero on this thread. They appear late in a
/// training, mean nothing, and are slow on many processors.
class FlushDenormals {
 public:
  FlushDenormals() : saved_(control()) { set_control(saved_ | kFlush); }
  ~FlushDenormals() { set_control(saved_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__)
  using Control = unsigned;
  static constexpr Control kFlush = 0x8000 | 0x0040;  // results, and arguments
  static Control control() { return _mm_getcsr(); }
  static void set_control(Control value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using Control = std::uint64_t;
  static constexpr Control kFlush = Control{1} << 24;  // FZ of the register FPCR: both
  static Control control() {
    Control value = 0;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(Control value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Control = int;
  static constexpr Control kFlush = 0;
  static Control control() { return 0; }
  static void set_control(Control) {}
#endif
  Control saved_;
};

}  // namespace localbatch
