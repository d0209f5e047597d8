#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace localbatch {

/// Where a value was written. `line` and `column` count from 1; line 0 means that the source has no
/// lines (a `--set` on the command line).
struct Location {
  std::string source;
  int line = 0;
  int column = 0;
};

/// "file:line:column", or the source alone where there are no lines.
std::string to_string(const Location& location);

/// One value of an experiment file, before anybody has given it a type.
struct Node {
  enum class Kind { kScalar, kList, kMap };

  struct Entry;

  Kind kind = Kind::kMap;
  Location where;
  std::string scalar;          ///< kScalar only
  std::vector<Node> items;     ///< kList only
  std::vector<Entry> entries;  ///< kMap only, in the order of the file

  const Entry* find(const std::string& key) const;
};

struct Node::Entry {
  std::string key;
  Location key_location;
  Node value;
};

/// "a mapping", "a list" or "'text'": how error messages name what was found.
std::string describe_found(const Node& node);

/// Text as YAML: quoted when a reader could take it for something else.
std::string yaml_text(const std::string& text);

/// "[1, 2]".
std::string yaml_list(const std::vector<std::int64_t>& values);

/// A value in one line, as YAML would write it: {name: sgd, sizes: [1, 2]}.
std::string flow_text(const Node& node);

/// Reads a text in YAML: one mapping. `source` stands for the file name in messages. Throws an
/// InputError with file, line and column where it is not valid YAML.
Node parse_yaml(const std::string& text, const std::string& source);

/// Applies one `--set part.key=value`: the value is YAML, and mappings on the way are made when
/// absent.
void apply_setting(Node& mapping, const std::string& setting);

}  // namespace localbatch
