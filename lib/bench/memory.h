#pragma once

#include <cstddef>

namespace localbatch {

/// Memory of this process as the kernel counts it (proc(5), VmRSS and VmHWM), in bytes; 0 where it
/// does not tell.
std::size_t resident_bytes();
std::size_t peak_resident_bytes();

/// Gives free memory back and begins a new peak at what is resident now.
void reset_peak_resident_bytes();

}  // namespace localbatch
