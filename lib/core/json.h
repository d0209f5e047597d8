#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace localbatch {

/// A value in JSON whose keys keep the order in which they were written, as people read them.
using Json = nlohmann::ordered_json;

/// The value in a file. Throws an InputError that names the path when it cannot be read or is not
/// JSON.
Json read_json(const std::filesystem::path& path);

}  // namespace localbatch
