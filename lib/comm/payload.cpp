#include "comm/payload.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace localbatch {

namespace {

constexpr std::size_t kBlock = block_of(Payload::kInt8);
constexpr std::uint32_t kNoNumbers = 255;  ///< the exponent of a block with one that is not finite

/// What differs between the formats of integers: the largest one, and what the scale of a block
/// follows from.
struct Integers {
  std::uint32_t digits;    ///< 2^digits is the largest power of two among them
  std::uint32_t fraction;  ///< the bits of the largest one's fraction as a float
};

constexpr Integers integers_of(Payload payload) {
  return payload == Payload::kInt8 ? Integers{6, 0x7E0000} : Integers{2, 0x600000};
}

/// The biased exponent e of the smallest normal power of two with which the largest of the values
/// is an integer of the format. Bits of floats that are not negative are ordered as they are.
std::uint32_t exponent_of(std::span<const float> values, const Integers& integers) {
  std::uint32_t most = 0;
  for (const float value : values)
    most = std::max(most, std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU);
  if (most >= 0x7F800000U) return kNoNumbers;
  // The largest number has as many binary digits before the point as the largest integer, or one
  // less where it would be above it.
  const bool fits = (most & 0x7FFFFFU) <= integers.fraction;
  const std::uint32_t digits = fits ? integers.digits : integers.digits - 1;
  return std::max(most >> 23, digits + 1) - digits;
}

float power_of_two(std::uint32_t biased) { return std::bit_cast<float>(biased << 23); }

/// The nearest integer of a number between -127 and 127, ties to even.
float nearest_integer(float value) {
  constexpr float kShift = 0x1.8p23F;
  return (value + kShift) - kShift;
}

/// Each bit of the result depends on each of x: of a counter it makes random numbers.
std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7FEB352DU;
  x = (x ^ (x >> 15)) * 0x846CA68BU;
  return x ^ (x >> 16);
}

/// Uniform in [0, 1), of 16 bits, so that an integer of 8 bits and it have an exact sum.
float random_of(std::uint32_t stream, std::uint32_t place) {
  const std::uint32_t bits = mixed(stream ^ (place * 0x9E3779B1U)) >> 16;
  return static_cast<float>(static_cast<std::int32_t>(bits)) * 0x1p-16F;
}

/// The next integer at or below value + random, for values between -127 and 127.
float random_integer(float value, float random) {
  constexpr float kShift = 128;
  return static_cast<float>(static_cast<std::int32_t>((value + random) + kShift)) - kShift;
}

/// Calls use(block, place of its first number) for one block after the other.
template <class Value, class Use>
void for_each_block(std::span<Value> values, const Use& use) {
  for (std::size_t begin = 0; begin < values.size(); begin += kBlock)
    use(values.subspan(begin, std::min(kBlock, values.size() - begin)), begin);
}

/// Makes integers of a block's numbers by `round`(number, index) and numbers of these again.
template <class Round>
void round_block(std::span<float> block, const Integers& integers, const Round& round) {
  const std::uint32_t exponent = exponent_of(block, integers);
  if (exponent == kNoNumbers) {
    std::ranges::fill(block, std::numeric_limits<float>::quiet_NaN());
    return;
  }
  const float scale = power_of_two(exponent), inverse = power_of_two(254 - exponent);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = round(block[i] * inverse, i) * scale;
}

void round_to_bfloat16(std::span<float> values) {
  for (float& value : values) value = rounded_to_bfloat16(value);
}

std::byte* encode_block(std::span<const float> block, Payload payload, std::byte* to) {
  const std::uint32_t exponent = exponent_of(block, integers_of(payload));
  *to++ = static_cast<std::byte>(exponent);
  std::array<std::int8_t, kBlock> integers{};
  if (exponent != kNoNumbers) {
    const float inverse = power_of_two(254 - exponent);
    for (std::size_t i = 0; i < block.size(); ++i)
      integers[i] = static_cast<std::int8_t>(nearest_integer(block[i] * inverse));
  }
  if (payload == Payload::kInt8) {
    std::memcpy(to, integers.data(), block.size());
    return to + block.size();
  }
  const std::size_t pairs = (block.size() + 1) / 2;
  for (std::size_t i = 0; i < pairs; ++i)
    to[i] = static_cast<std::byte>((integers[2 * i] & 0xF) | ((integers[2 * i + 1] & 0xF) << 4));
  return to + pairs;
}

const std::byte* decode_block(const std::byte* from, Payload payload, std::span<float> block) {
  const auto exponent = static_cast<std::uint32_t>(*from++);
  std::array<std::int8_t, kBlock> integers{};
  std::size_t bytes = block.size();
  if (payload == Payload::kInt8) {
    std::memcpy(integers.data(), from, bytes);
  } else {
    bytes = (block.size() + 1) / 2;
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto pair = static_cast<std::int8_t>(from[i]);
      integers[2 * i] = static_cast<std::int8_t>(static_cast<std::int8_t>(pair << 4) >> 4);
      integers[2 * i + 1] = static_cast<std::int8_t>(pair >> 4);
    }
  }
  if (exponent == kNoNumbers) {
    std::ranges::fill(block, std::numeric_limits<float>::quiet_NaN());
  } else {
    const float scale = power_of_two(exponent);
    for (std::size_t i = 0; i < block.size(); ++i)
      block[i] = static_cast<float>(integers[i]) * scale;
  }
  return from + bytes;
}

}  // namespace

std::string_view name_of(Payload payload) {
  return std::ranges::find(kPayloads, payload, [](const auto& named) { return named.second; })
      ->first;
}

void round_to_nearest(std::span<float> values, Payload payload) {
  if (payload == Payload::kBfloat16) round_to_bfloat16(values);
  if (!has_blocks(payload)) return;
  for_each_block(values, [&](std::span<float> block, std::size_t) {
    round_block(block, integers_of(payload),
                [](float value, std::size_t) { return nearest_integer(value); });
  });
}

void round_mean(std::span<float> values, Payload payload, std::uint32_t key, std::size_t first) {
  if (payload == Payload::kBfloat16) round_to_bfloat16(values);
  if (!has_blocks(payload)) return;
  const std::uint32_t stream = mixed(key);
  for_each_block(values, [&](std::span<float> block, std::size_t begin) {
    const auto place = static_cast<std::uint32_t>(first + begin);
    round_block(block, integers_of(payload), [&](float value, std::size_t i) {
      return random_integer(value, random_of(stream, place + static_cast<std::uint32_t>(i)));
    });
  });
}

void encode(std::span<const float> values, Payload payload, std::byte* to) {
  if (payload == Payload::kFloat32) {
    std::ranges::copy(std::as_bytes(values), to);
  } else if (payload == Payload::kBfloat16) {
    auto* const halves = reinterpret_cast<Bfloat16*>(to);
    for (std::size_t i = 0; i < values.size(); ++i) halves[i] = to_bfloat16(values[i]);
  } else {
    for_each_block(values, [&](std::span<const float> block, std::size_t) {
      to = encode_block(block, payload, to);
    });
  }
}

void decode(const std::byte* from, Payload payload, std::span<float> values) {
  if (payload == Payload::kFloat32) {
    std::copy_n(from, values.size_bytes(), std::as_writable_bytes(values).begin());
  } else if (payload == Payload::kBfloat16) {
    const auto* const halves = reinterpret_cast<const Bfloat16*>(from);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = to_float(halves[i]);
  } else {
    for_each_block(values, [&](std::span<float> block, std::size_t) {
      from = decode_block(from, payload, block);
    });
  }
}

}  // namespace localbatch
