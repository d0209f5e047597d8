#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/node.h"

namespace localbatch {

/// Keys of an experiment file with their values as text, in the order of the file: "batch_size.max"
/// and "64". A list is one value, "[1, 2]".
class Settings {
 public:
  Settings() = default;
  explicit Settings(std::vector<std::pair<std::string, std::string>> entries)
      : entries_(std::move(entries)) {}

  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

  /// Null when the key is not there.
  const std::string* find(const std::string& key) const;

  /// Empty when the key is not there.
  std::string value(const std::string& key) const;

  /// Whether the key is there, or is a part that holds others.
  bool has_part(const std::string& key) const;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

Settings settings_of(const Node& experiment);

/// Whether a key says where something lies or what it is called, not what a run does:
/// `experiment`, `dataset.root` and `kernels`.
bool is_place(const std::string& key);

/// Whether all keys that both know have the same values, but for places. A version that knows more
/// keys still finds the runs of an earlier one.
bool agree(const Settings& a, const Settings& b);

/// Keys that have more than one value, in the order in which they come. Who does not know a key
/// does not count. Places are left out.
std::vector<std::string> differing_keys(const std::vector<Settings>& all);

}  // namespace localbatch
