#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/yaml.h"

namespace localbatch {

/// One key as its reader declared it, with the value that was used. A declaration is made by
/// reading: what `describe` prints and what a run's `experiment.yaml` shows come from nowhere else.
struct Declaration {
  std::string key;
  /// "number", "integer", "list of integers", "flag", "text", "choice", "part", "list of parts"
  std::string type;
  std::string fallback;  ///< empty when the key is required
  bool required = false;
  std::string allowed;  ///< "0.1 .. 1", "average | keep | reset", empty when anything goes
  std::string meaning;
  std::string value;  ///< as YAML; not used for parts, nor for a list of parts unless it is empty
  /// The keys of a nested mapping; of a list of parts its items, "[0]", "[1]", ..., each a part.
  std::vector<Declaration> parts;
};

struct NumberKey {
  std::optional<double> fallback = std::nullopt;  ///< none: the key is required
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::string_view meaning;
};

struct IntegerKey {
  std::optional<std::int64_t> fallback = std::nullopt;
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view meaning;
};

struct IntegersKey {
  std::optional<std::vector<std::int64_t>> fallback = std::nullopt;
  std::int64_t min = 0;  ///< of each item
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view meaning;
};

struct FlagKey {
  bool fallback = false;
  std::string_view meaning;
};

struct TextKey {
  std::optional<std::string> fallback = std::nullopt;
  std::string_view meaning;
};

struct ChoiceKey {
  std::optional<std::string> fallback = std::nullopt;
  std::vector<std::string> choices;
  std::string_view meaning;
};

/// Typed, ranged reading of one mapping of an experiment file. Every reader records what it
/// declared; `finish` makes unread keys an error. All errors are `InputError` with the place in the
/// file.
class Options {
 public:
  /// Reads `mapping`, which must outlive this object.
  explicit Options(const Node& mapping);

  /// An empty mapping in which required keys take a placeholder: the makers then declare all their
  /// keys without anybody having written a file.
  static Options describing();

  double number(std::string_view key, const NumberKey& declared);
  std::int64_t integer(std::string_view key, const IntegerKey& declared);
  std::vector<std::int64_t> integers(std::string_view key, const IntegersKey& declared);
  bool flag(std::string_view key, const FlagKey& declared);
  std::string text(std::string_view key, const TextKey& declared);
  std::string choice(std::string_view key, const ChoiceKey& declared);

  /// The nested mapping under `key`, empty when it is absent.
  Options part(std::string_view key, std::string_view meaning);

  /// The mappings in the list under `key`, in their order, none when it is absent. Their keys are
  /// called "key[0].name", "key[1].name" and so on in messages.
  std::vector<Options> parts(std::string_view key, std::string_view meaning);

  /// Refuses keys that nobody has read, here and in every part, with the nearest key that exists.
  void finish() const;

  /// Throws an InputError that points at `key`, for rules that span several keys.
  [[noreturn]] void fail(std::string_view key, std::string_view what) const;

  /// Everything read so far, in reading order.
  std::vector<Declaration> declarations() const;

 private:
  struct Record;  // the declarations of one mapping, shared by all copies of its Options

  Options(const Node& mapping, Location where, std::string path, std::shared_ptr<Record> record,
          bool describing);

  template <class Value, class Key>
  Value ranged(std::string_view key, const Key& declared, std::string_view type,
               std::string_view expected);
  const Node* find_scalar(std::string_view key, std::string_view expected) const;
  Options nested(const Node& mapping, Location where, std::string_view name);
  std::string path_of(std::string_view key) const;
  [[noreturn]] void fail_at(const Location& where, std::string_view key,
                            std::string_view what) const;

  const Node* mapping_;
  Location where_;    ///< of the mapping, or of the one around it when it is absent
  std::string path_;  ///< "batch_size_controller." or empty
  std::shared_ptr<Record> record_;
  bool describing_;
};

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
