#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace localbatch {

/// "42 s", "3 min 05 s", "2 h 10 min".
inline std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace localbatch
