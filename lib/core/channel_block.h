#pragma once

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

}  // namespace localbatch
