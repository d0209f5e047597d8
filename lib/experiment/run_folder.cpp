#include "experiment/run_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <cstdint>
#include <system_error>

#include "core/error.h"
#include "experiment/content_hash.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// "batch_size_controller.eta=0.9" as a piece of a folder's name: "eta=0.9".
std::string readable(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  const std::size_t dot = setting.rfind('.', equals);
  std::string name = dot == std::string::npos ? setting : setting.substr(dot + 1);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '=' && c != '.' && c != '_')
      c = '_';
  return name;
}

}  // namespace

fs::path run_folder(const fs::path& output, const std::string& experiment,
                    const std::vector<std::string>& settings, const std::string& resolved) {
  std::string cell;
  for (const std::string& setting : settings) cell += readable(setting) + "-";
  if (cell.empty() || cell.size() > 100) cell = "run-";
  const auto digits = static_cast<std::uint32_t>(content_hash(resolved) >> 32);
  return output / experiment / fmt::format("{}{:08x}", cell, digits);
}

void claim_run_folder(const fs::path& folder, bool force) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    fail_input("{}: cannot be made: a file has this name", folder.string());
  if (fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    if (!force)
      fail_input("{}: holds results already; --force replaces them, --output writes elsewhere",
                 folder.string());
    fs::remove_all(folder, error);
    if (error) fail_input("{}: cannot be replaced: {}", folder.string(), error.message());
  }
  fs::create_directories(folder, error);
  if (error) fail_input("{}: cannot be made: {}", folder.string(), error.message());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    fail_input("{}: cannot be written", folder.string());
}

}  // namespace localbatch
