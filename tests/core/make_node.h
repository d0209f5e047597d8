#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/yaml.h"

namespace localbatch {

/// Nodes as a YAML reader would make them, for tests that need no file. Places are "test.yaml" with
/// the given line and column.
inline Node node_of(Node::Kind kind, int line, int column) {
  Node node;
  node.kind = kind;
  node.where = {"test.yaml", line, column};
  return node;
}

inline Node scalar(std::string text, int line = 1, int column = 1) {
  Node node = node_of(Node::Kind::kScalar, line, column);
  node.scalar = std::move(text);
  return node;
}

inline Node list(std::vector<Node> items, int line = 1, int column = 1) {
  Node node = node_of(Node::Kind::kList, line, column);
  node.items = std::move(items);
  return node;
}

/// Keys stand in column 1 of the lines of their values.
inline Node map(const std::vector<std::pair<std::string, Node>>& entries, int line = 1,
                int column = 1) {
  Node node = node_of(Node::Kind::kMap, line, column);
  for (const auto& [key, value] : entries) {
    Node::Entry& entry = node.entries.emplace_back();
    entry.key = key;
    entry.key_location = {"test.yaml", value.where.line, 1};
    entry.value = value;
  }
  return node;
}

}  // namespace localbatch
