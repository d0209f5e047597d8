#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "experiment/experiment.h"

namespace localbatch {

struct CurveColumn {
  std::string_view name, unit, meaning;
};

/// A CSV file of a run, or some of its columns.
struct CurveFile {
  std::string_view name;
  std::vector<CurveColumn> columns;
};

/// A key with the part, and the implementation of it, that has it; empty: the top level, all of
/// them.
struct FoundKey {
  std::string part, name;
  Declaration key;
};

/// What the words of `localbatch describe` name.
struct Findings {
  bool by_name = false;  ///< found by a name of their own, wherever they belong
  std::vector<PartDescription> parts;
  std::vector<FoundKey> keys;  ///< of no part in `parts`
  std::vector<CurveFile> curves;
};

/// Nothing: all there is; "all": all parts; a part, perhaps with one of its names; a file of
/// curves; the name of an implementation, a key or a column. Throws an InputError for other words.
Findings find_descriptions(const std::vector<std::string>& words);

Json json_of(const Findings& found);

}  // namespace localbatch
