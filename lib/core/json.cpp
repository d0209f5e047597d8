#include "core/json.h"

#include "core/error.h"
#include "core/files.h"

namespace localbatch {

Json read_json(const std::filesystem::path& path) {
  try {
    return Json::parse(read_text(path));
  } catch (const Json::exception& error) {
    fail_input("{}: {}", path.string(), error.what());
  }
}

}  // namespace localbatch
