#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "core/channel_block.h"

namespace localbatch {

/// The format in which the numbers of an array are sent.
///
/// kInt8 and kInt4 cut an array into blocks of 32 numbers, the last of which may be shorter. A
/// block is a byte e, then an integer of 8 or 4 bits for every number, which stands for that
/// integer times 2^(e - 127). The power of two is the smallest with which the largest number of the
/// block is at most 127 or 7 of it, so what can be sent stays what it is when it is sent again.
/// e = 255: a number of the block is not finite, and all of them become NaN. Source: Open Compute
/// Project, Microscaling Formats v1.0 (2023), whose MXINT8 has the same blocks and scales, but
/// clamps the largest numbers; kInt4 is the same with fewer bits.
enum class Payload { kFloat32, kBfloat16, kInt8, kInt4 };

/// As experiment files call them.
inline constexpr std::array<std::pair<std::string_view, Payload>, 4> kPayloads{
    {{"f32", Payload::kFloat32},
     {"bf16", Payload::kBfloat16},
     {"int8", Payload::kInt8},
     {"int4", Payload::kInt4}}};

std::string_view name_of(Payload payload);

constexpr bool has_blocks(Payload payload) {
  return payload == Payload::kInt8 || payload == Payload::kInt4;
}

/// As many numbers belong together: slices of an array begin at multiples of it.
constexpr std::size_t block_of(Payload payload) { return has_blocks(payload) ? 32 : 1; }

/// The bytes of `count` numbers, of which the first begins a block.
constexpr std::size_t encoded_size(Payload payload, std::size_t count) {
  const std::size_t scales = (count + 31) / 32;
  switch (payload) {
    case Payload::kFloat32:
      return 4 * count;
    case Payload::kBfloat16:
      return 2 * count;
    case Payload::kInt8:
      return scales + count;
    case Payload::kInt4:
      return scales + (count + 1) / 2;
  }
  return 0;
}

inline float rounded_to_bfloat16(float value) { return to_float(to_bfloat16(value)); }

/// Makes of every number the nearest one that can be sent, ties to even. The first begins a block.
void round_to_nearest(std::span<float> values, Payload payload);

/// The numbers are a part of an array whose place `first` begins a block, and a mean. As kInt8 and
/// kInt4 each goes up or down to one of its two neighbours, at random and so that its expectation
/// is itself: means of means lose nothing in the long run, however small a number is beside the
/// largest of its block. The random numbers are a function of key and place alone. As kBfloat16
/// each goes to the nearest one.
void round_mean(std::span<float> values, Payload payload, std::uint32_t key, std::size_t first);

/// Writes encoded_size(payload, values.size()) bytes. Numbers that cannot be sent as they are go to
/// the nearest one.
void encode(std::span<const float> values, Payload payload, std::byte* to);
void decode(const std::byte* from, Payload payload, std::span<float> values);

}  // namespace localbatch
