#include "core/error.h"

#include <cstdio>
#include <cstdlib>

namespace localbatch {

void broken(std::string_view assumption) {
  fmt::print(stderr, "localbatch: broken invariant: {} [this is a bug]\n", assumption);
  std::abort();
}

}  // namespace localbatch
