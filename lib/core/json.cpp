#include "core/json.h"

#include "core/error.h"
#include "core/files.h"

namespace localbatch {

Json parse_json(const std::string& text, const std::string& source) {
  const auto refuse_depth = [&source](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMaxJsonDepth)
      fail_input("{}: found more than {} levels of lists and mappings", source, kMaxJsonDepth);
    return true;
  };
  try {
    return Json::parse(text, refuse_depth);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view whole = error.what();
    const std::size_t label = whole.find("] ");
    fail_input("{}: {}", source, label == std::string_view::npos ? whole : whole.substr(label + 2));
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path), path.string());
}

}  // namespace localbatch
