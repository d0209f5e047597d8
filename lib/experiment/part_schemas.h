#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "core/options.h"
#include "experiment/experiment.h"

namespace localbatch {

// The pieces of experiment_schema(): keys and parts.

/// The key of this name, or null.
const Declaration* find_key(const std::vector<Declaration>& keys, const std::string& name);

/// What a key may hold, as a JSON schema (draft 7): kind, range, choices, default and meaning.
Json schema_of(const Declaration& key);

/// Adds the schema of each key.
void add_keys(const std::vector<Declaration>& keys, Json& properties);

Json required_names(const std::vector<Declaration>& keys);

/// That `key` has one of these values; also where it is absent, if that has the same meaning.
Json chosen(const std::string& key, Json allowed, bool also_absent);

/// A part of an experiment file with all its implementations.
struct Part {
  PartDescription shared;  ///< `name` is among its keys if there are implementations
  std::vector<PartDescription> implementations;
  std::vector<PartDescription> nested;  ///< of a choice within the part

  /// The key that selects an implementation; null where there are none.
  const Declaration* name() const;
  bool is_default(const PartDescription& implementation) const;
};

/// The parts of describe_parts(), without the keys of the file itself.
std::vector<Part> parts_of(const std::vector<PartDescription>& descriptions);

/// The part with the keys of the implementation that is named, and no others.
Json part_schema(const Part& part);

/// The keys that a part must have, which a sweep may give it as well; null: none.
Json required_schema(const Part& part);

/// Whether a file without this part lacks something.
bool is_required(const Part& part);

/// The items of `shadow_controllers`: a controller without what limits the one that acts.
Json shadow_controller_schema(const Part& controllers);

}  // namespace localbatch
