#include "comm/payload.h"

#include <cstring>

namespace localbatch {

void encode(std::span<const float> values, Payload payload, std::byte* to) {
  if (payload == Payload::kFloat32) {
    std::memcpy(to, values.data(), values.size_bytes());
    return;
  }
  auto* const halves = reinterpret_cast<std::uint16_t*>(to);
  for (std::size_t i = 0; i < values.size(); ++i) halves[i] = to_bfloat16(values[i]);
}

void decode(const std::byte* from, Payload payload, std::span<float> values) {
  if (payload == Payload::kFloat32) {
    std::memcpy(values.data(), from, values.size_bytes());
    return;
  }
  const auto* const halves = reinterpret_cast<const std::uint16_t*>(from);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = from_bfloat16(halves[i]);
}

}  // namespace localbatch
