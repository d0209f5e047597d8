#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace localbatch {

/// A value in JSON whose keys keep the order in which they were written, as people read them.
using Json = nlohmann::ordered_json;

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

/// Levels of lists and mappings in a text that is read. Our own files have four; the library calls
/// itself for every level when it copies or writes a value, so that depth is bounded by the stack.
inline constexpr int kMaxJsonDepth = 64;

/// The value of a text in JSON; `source` stands for the file in messages. Throws an InputError for
/// what is not JSON or is nested too deeply.
Json parse_json(const std::string& text, const std::string& source);

/// Reads a file with parse_json().
Json read_json(const std::filesystem::path& path);

}  // namespace localbatch
