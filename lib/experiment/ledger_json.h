#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "comm/ledger.h"

namespace localbatch {

/// {"parameters": {"messages": 4, "bytes": 64, "bytes_between_hosts": 0}, "state": ...}
inline nlohmann::ordered_json to_json(const Ledger& ledger) {
  nlohmann::ordered_json purposes = nlohmann::ordered_json::object();
  for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
    const auto& [messages, bytes, bytes_between_hosts] = ledger.entries[kind];
    purposes[std::string(kTrafficNames[kind])] = {
        {"messages", messages}, {"bytes", bytes}, {"bytes_between_hosts", bytes_between_hosts}};
  }
  return purposes;
}

}  // namespace localbatch
