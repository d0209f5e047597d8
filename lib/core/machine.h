#pragma once

#include <string>

namespace localbatch {

// What records say about where and when something ran; "unknown" where the system does not tell.
std::string host_name();
std::string cpu_model();
std::string utc_now();  ///< "2026-01-31T12:00:00Z"

/// That this process may use, at least 1.
int available_cores();

}  // namespace localbatch
