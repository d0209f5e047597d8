#pragma once

#include <nlohmann/json.hpp>

namespace localbatch {

/// A value in JSON whose keys keep the order in which they were written, as people read them.
using Json = nlohmann::ordered_json;

}  // namespace localbatch
