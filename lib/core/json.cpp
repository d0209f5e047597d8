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
    fail_input("{}: {}", source, error.what());
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path), path.string());
}

}  // namespace localbatch
