#pragma once

#include <string>
#include <vector>

namespace localbatch {

// What records say about where and when something ran; "unknown" where the system does not tell.
std::string host_name();
std::string cpu_model();
std::string cpu_flags();  ///< as Linux names them: "fpu vme ... avx512_bf16 ..."
std::string utc_now();    ///< "2026-01-31T12:00:00Z"

/// That this process may use, at least 1.
int available_cores();

/// The numbers of these cores, ascending; nothing where the system does not tell.
std::vector<int> allowed_cores();

/// Cores that this process could use if a launcher or OpenMP had not bound it: what the container
/// or the batch system leaves to it. At least allowed_cores().
std::vector<int> reachable_cores();

}  // namespace localbatch
