#pragma once

#include <string>

#include "comm/ledger.h"
#include "core/json.h"

namespace localbatch {

/// {"parameters": {"messages": 4, "bytes": 64, "bytes_between_hosts": 0}, "state": ...}
inline Json to_json(const Ledger& ledger) {
  Json purposes = Json::object();
  for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
    const auto& [messages, bytes, bytes_between_hosts] = ledger.entries[kind];
    purposes[std::string(kTrafficNames[kind])] = {
        {"messages", messages}, {"bytes", bytes}, {"bytes_between_hosts", bytes_between_hosts}};
  }
  return purposes;
}

}  // namespace localbatch
