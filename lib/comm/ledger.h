#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/state.h"

namespace localbatch {

/// What a message is for.
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

/// Messages and bytes that left processes, by purpose; between processes of one host too.
struct Ledger {
  struct Entry {
    std::int64_t messages = 0, bytes = 0;
    std::int64_t bytes_between_hosts = 0;  ///< of `bytes`

    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::array<Entry, kTrafficKinds> entries{};

  Entry& operator[](Traffic traffic) { return entries[static_cast<std::size_t>(traffic)]; }
  const Entry& operator[](Traffic traffic) const {
    return entries[static_cast<std::size_t>(traffic)];
  }
  Ledger& operator+=(const Ledger& other);
  friend bool operator==(const Ledger&, const Ledger&) = default;
};

void visit_state(StateVisitor& visitor, Ledger& ledger);

}  // namespace localbatch
