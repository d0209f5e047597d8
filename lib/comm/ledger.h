#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/state.h"

namespace localbatch {

/// The purpose of a message.
enum class Traffic {
  kParameters,
  kState,
  kGradients,
  kStatistics,
  kEvaluation,
  kCheckpoint,
  kControl
};
inline constexpr std::size_t kTrafficKinds = 7;
inline constexpr std::array<std::string_view, kTrafficKinds> kTrafficNames{
    "parameters", "state", "gradients", "statistics", "evaluation", "checkpoint", "control"};

/// The messages and bytes that processes have sent, by purpose, those to processes of the same host
/// included.
struct Ledger {
  struct Total {
    std::int64_t messages = 0, bytes = 0;
    std::int64_t bytes_between_hosts = 0;  ///< of `bytes`

    friend bool operator==(const Total&, const Total&) = default;
  };
  std::array<Total, kTrafficKinds> entries{};

  Total& operator[](Traffic traffic) { return entries[static_cast<std::size_t>(traffic)]; }
  const Total& operator[](Traffic traffic) const {
    return entries[static_cast<std::size_t>(traffic)];
  }
  Ledger& operator+=(const Ledger& other);
  std::int64_t bytes() const;  ///< for all purposes
  friend bool operator==(const Ledger&, const Ledger&) = default;
};

void visit_state(StateVisitor& visitor, Ledger& ledger);

/// The format in which the numbers of an array are sent.
enum class Payload { kFloat32, kBfloat16 };

constexpr std::size_t size_of(Payload payload) { return payload == Payload::kFloat32 ? 4 : 2; }

/// The nearest bfloat16, ties to even; a NaN stays one.
inline std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return static_cast<std::uint16_t>(value == value ? rounded : 0x7FC0);
}

inline float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline float rounded_to_bfloat16(float value) { return from_bfloat16(to_bfloat16(value)); }

/// Writes values.size() numbers of size_of(payload) bytes.
void encode(std::span<const float> values, Payload payload, std::byte* to);
void decode(const std::byte* from, Payload payload, std::span<float> values);

}  // namespace localbatch
