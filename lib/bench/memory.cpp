#include "bench/memory.h"

#include <malloc.h>

#include <fstream>
#include <sstream>
#include <string>

namespace localbatch {

namespace {

std::size_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key + ":")) continue;
    std::istringstream fields(line.substr(key.size() + 1));
    std::size_t kibibytes = 0;
    fields >> kibibytes;
    return kibibytes * 1024;
  }
  return 0;
}

}  // namespace

std::size_t resident_bytes() { return status_bytes("VmRSS"); }
std::size_t peak_resident_bytes() { return status_bytes("VmHWM"); }

void reset_peak_resident_bytes() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace localbatch
