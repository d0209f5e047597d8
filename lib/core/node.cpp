#include "core/node.h"

#include <fmt/format.h>

#include <algorithm>

namespace localbatch {

std::string to_string(const Location& location) {
  if (location.line == 0) return location.source;
  return fmt::format("{}:{}:{}", location.source, location.line, location.column);
}

const Node::Entry* Node::find(const std::string& key) const {
  const auto found =
      std::ranges::find_if(entries, [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string describe_found(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kMap:
      return "a mapping";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kScalar:
      break;
  }
  return fmt::format("'{}'", node.scalar);
}

}  // namespace localbatch
