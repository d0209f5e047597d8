#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace localbatch {

/// Text as YAML: quoted when a reader could take it for something else.
std::string yaml_text(const std::string& text);

/// "[1, 2]".
std::string yaml_list(const std::vector<std::int64_t>& values);

}  // namespace localbatch
