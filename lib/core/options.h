#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/yaml.h"

namespace localbatch {

enum class KeyType { kNumber, kInteger, kIntegers, kFlag, kText, kChoice, kPart, kParts };

/// "number", "list of integers", ..., as `describe` prints it.
std::string_view name_of(KeyType type);

/// One key as its reader declared it, with the value that was used. Reading a key is declaring it:
/// what `describe` prints and what a run's `experiment.yaml` shows come from nowhere else.
struct Declaration {
  std::string key;
  KeyType type = KeyType::kText;
  std::string fallback;  ///< empty when the key is required
  bool required = false;
  std::string allowed;  ///< "0.1 .. 1", "average | keep | reset", empty when anything goes
  std::string meaning;
  std::string value;  ///< as YAML; not used for parts, nor for a list of parts unless it is empty
  /// The keys of a part; the items of a list of parts, "[0]", "[1]", ..., each of them a part.
  std::vector<Declaration> parts;
  std::string min = {}, max = {};  ///< of a number, or of each integer; empty: no limit
  std::vector<std::string> choices = {};
  /// Neither required nor with a default: of a file that has none, settings do not show it.
  bool may_be_absent = false;
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
  bool ascending = false;  ///< each is more than the one before it
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

/// A choice among names, whose value is the name.
struct ChoiceKey {
  std::optional<std::string> fallback = std::nullopt;
  std::vector<std::string> choices;
  std::string_view meaning;
};

/// A choice among values, each of which has a name in the file.
template <class Value>
struct ValueChoiceKey {
  std::optional<Value> fallback = std::nullopt;
  std::vector<std::pair<std::string_view, Value>> choices;
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
  /// The same with some keys given, which decide what else is declared; `mapping` must outlive it.
  static Options describing(const Node& mapping);

  double number(std::string_view key, const NumberKey& declared);
  /// An integer of a type that holds the whole declared range.
  template <class Integer = std::int64_t>
  Integer integer(std::string_view key, const IntegerKey& declared) {
    check(std::in_range<Integer>(declared.min) && std::in_range<Integer>(declared.max),
          "an integer's type holds its range");
    return static_cast<Integer>(read_integer(key, declared));
  }
  /// A number where the file has it; where not, it is declared when options are described only.
  std::optional<std::int64_t> optional_integer(std::string_view key, const IntegerKey& declared) {
    return if_given(key, [&] { return read_integer(key, declared); });
  }
  std::optional<double> optional_number(std::string_view key, const NumberKey& declared) {
    return if_given(key, [&] { return number(key, declared); });
  }
  std::vector<std::int64_t> integers(std::string_view key, const IntegersKey& declared);
  bool flag(std::string_view key, const FlagKey& declared);
  std::string text(std::string_view key, const TextKey& declared);
  std::string choice(std::string_view key, const ChoiceKey& declared);
  template <class Value>
  Value choice(std::string_view key, const ValueChoiceKey<Value>& declared) {
    ChoiceKey names{.choices = {}, .meaning = declared.meaning};
    for (const auto& [name, value] : declared.choices) {
      names.choices.emplace_back(name);
      if (declared.fallback == value) names.fallback = std::string(name);
    }
    check(declared.fallback.has_value() == names.fallback.has_value(),
          "a default is one of the choices");
    return declared.choices[choose(key, names)].second;
  }

  /// The nested mapping under `key`, empty when it is absent.
  Options part(std::string_view key, std::string_view meaning);

  /// The same where the file has it; otherwise the part is not declared either, so that settings of
  /// runs do not show it. When options are described it is there.
  std::optional<Options> optional_part(std::string_view key, std::string_view meaning);

  /// The mappings in the list under `key`, in their order; none when the list is absent. Messages
  /// call their keys "key[0].name", "key[1].name" and so on.
  std::vector<Options> parts(std::string_view key, std::string_view meaning);

  /// Refuses keys that nobody has read, here and in every part, and names the nearest known key.
  void finish() const;

  /// Throws an InputError that points at `key`, for rules that span several keys. Where the file
  /// has another key that nobody has asked for, in any part, and that is nearly one that is
  /// missing, the rule probably fails for want of that: then the misspelt key is refused.
  [[noreturn]] void fail(std::string_view key, std::string_view what) const;

  /// Everything read so far, in reading order.
  std::vector<Declaration> declarations() const;

 private:
  struct Record;  // one mapping and what was declared of it, shared by all copies of its Options

  explicit Options(std::shared_ptr<Record> record);

  std::int64_t read_integer(std::string_view key, const IntegerKey& declared);
  /// Whether the file lacks a key that may be absent, which a misspelt one may have been meant for.
  bool leaves_out(std::string_view key) const;
  /// Notes that the key, which was declared last, may be absent; returns whether it is there.
  bool was_optional(std::string_view key) const;
  /// What `read` returns of a key that may be absent, and declares.
  template <class Read>
  std::optional<std::invoke_result_t<Read>> if_given(std::string_view key, const Read& read) {
    if (leaves_out(key)) return {};
    const auto value = read();
    return was_optional(key) ? std::optional(value) : std::nullopt;
  }
  std::size_t choose(std::string_view key, const ChoiceKey& declared);
  template <class Value, class Key>
  Value ranged(std::string_view key, const Key& declared, KeyType type, std::string_view expected);
  Declaration& declare(std::string_view key, KeyType type, std::string_view meaning,
                       const std::optional<std::string>& fallback, std::string allowed,
                       std::string value);
  const Node* find_scalar(std::string_view key, std::string_view expected) const;
  Options nested(const Node& mapping, Location where, std::string_view name);
  std::string path_of(std::string_view key) const;
  [[noreturn]] void fail_at(const Location& where, std::string_view key,
                            std::string_view what) const;

  /// Adds the full path of every key that was declared here and below.
  void add_places(std::vector<std::string>& places) const;
  void finish(const std::vector<std::string>& places) const;
  [[noreturn]] void fail_unknown(const Node::Entry& entry, const std::vector<std::string>& keys,
                                 const std::vector<std::string>& places) const;

  std::shared_ptr<Record> record_;
};

/// A key of a run's experiment file, "batch_size.initial", and its value as text.
using KeyValue = std::pair<std::string, std::string>;

/// Empty when the key is not there.
std::string value_of(std::span<const KeyValue> settings, std::string_view key);

/// One implementation of an exchangeable part: its name in experiment files, the function that
/// reads its keys and makes it, and what `describe` says about it.
template <class Part>
struct PartRow {
  std::string_view name;
  std::string_view summary;  ///< one line
  Part (*make)(Options&);
  /// The computation, in the names of the experiment file; empty where there is nothing to say.
  std::string_view formula = {};
  std::string_view source = {};  ///< who published it, and what is different here
  /// The label of the part in tables of results, for a run with these settings. Without this
  /// function the label is the name.
  std::string (*label)(std::span<const KeyValue> settings) = nullptr;
};

template <class Part>
std::vector<std::string> part_names(std::span<const PartRow<Part>> table) {
  std::vector<std::string> names;
  for (const PartRow<Part>& row : table) names.emplace_back(row.name);
  return names;
}

/// Makes the part that `key` names. An empty `fallback` makes the key required.
template <class Part>
Part make_part(std::span<const PartRow<Part>> table, Options& options, std::string_view fallback,
               std::string_view meaning, std::string_view key = "name") {
  ChoiceKey choice{.choices = part_names(table), .meaning = meaning};
  if (!fallback.empty()) choice.fallback = std::string(fallback);
  const std::string name = options.choice(key, choice);
  for (const PartRow<Part>& row : table)
    if (row.name == name) return row.make(options);
  internal_error("a choice is one of the names in its table");
}

}  // namespace localbatch
