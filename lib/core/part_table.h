#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/options.h"

namespace localbatch {

/// One implementation of an exchangeable part: its name in experiment files and the function that
/// reads its keys and makes it. `describe` shows the rest.
template <class Part>
struct PartRow {
  std::string_view name;
  std::string_view summary;  ///< one line
  Part (*make)(Options&);
  /// What it computes, in the names of the experiment file; empty where there is nothing to say.
  std::string_view formula = {};
  std::string_view source = {};  ///< who published it, and what is different here
};

template <class Part>
std::vector<std::string> part_names(std::span<const PartRow<Part>> table) {
  std::vector<std::string> names;
  for (const PartRow<Part>& row : table) names.emplace_back(row.name);
  return names;
}

/// Reads `name:` and makes the part of that name. An empty `fallback` makes the name required.
template <class Part>
Part make_part(std::span<const PartRow<Part>> table, Options& options, std::string_view fallback,
               std::string_view meaning) {
  ChoiceKey key{.choices = part_names(table), .meaning = meaning};
  if (!fallback.empty()) key.fallback = std::string(fallback);
  const std::string name = options.choice("name", key);
  for (const PartRow<Part>& row : table)
    if (row.name == name) return row.make(options);
  broken("a choice is one of the names in its table");
}

}  // namespace localbatch
