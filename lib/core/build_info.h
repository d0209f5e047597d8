#pragma once

#include <string_view>

namespace localbatch {

/// The sources and settings that the program was built from; the build writes them.
struct BuildInfo {
  std::string_view version;  ///< "0.1.0"
  std::string_view commit;  ///< git's hash, "-dirty" behind it when files had changed, or "unknown"
  std::string_view compiler;  ///< "GNU 12.2.0"
  std::string_view build_type;
  std::string_view march;  ///< instruction set that the compiler was allowed to use
};

BuildInfo build_info();

}  // namespace localbatch
