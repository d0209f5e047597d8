#include "core/stopwatch.h"

#include <chrono>

namespace localbatch {

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace localbatch
