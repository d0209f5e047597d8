#include "core/yaml_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace localbatch {

std::string yaml_text(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '/';
  });
  const bool number_like =
      plain && (std::isdigit(static_cast<unsigned char>(text.front())) != 0 || text.front() == '-');
  const bool means_null = text == "null" || text == "Null" || text == "NULL";
  if (plain && !number_like && !means_null) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

std::string yaml_list(const std::vector<std::int64_t>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

}  // namespace localbatch
