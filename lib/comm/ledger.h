#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
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

}  // namespace localbatch
