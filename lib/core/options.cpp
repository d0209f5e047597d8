#include "core/options.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/parse.h"
#include "core/text.h"
#include "core/yaml.h"

namespace localbatch {

std::string value_of(std::span<const KeyValue> settings, std::string_view key) {
  const auto found = std::ranges::find(settings, key, &KeyValue::first);
  return found == settings.end() ? std::string() : found->second;
}

struct Options::Record {
  const Node& mapping;
  Location where;    ///< place of the mapping, or of the one around it when the file has none
  std::string path;  ///< "batch_size_controller." or empty
  bool describing = false;
  std::weak_ptr<const Record> around = {};
  std::vector<Declaration> declared = {};
  /// Nested mappings, each with the index of its key in `declared`; a list of parts has several.
  std::deque<std::pair<std::size_t, Options>> parts = {};
  std::vector<std::string> left_out = {};  ///< keys that may be absent, and are

  const Node::Entry* find(std::string_view key) const { return mapping.find(std::string(key)); }

  std::vector<std::string> keys() const {
    std::vector<std::string> keys = left_out;
    for (const Declaration& declaration : declared) keys.push_back(declaration.key);
    return keys;
  }

  /// Refuses a key that nobody has asked for, here or below, and that is nearly one that somebody
  /// has, or one of `more`, and that the mapping lacks.
  void refuse_misspelt(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> known = keys(), absent;
    known.insert(known.end(), more.begin(), more.end());
    for (const std::string& name : known)
      if (find(name) == nullptr) absent.push_back(name);
    for (const Node::Entry& entry : mapping.entries) {
      if (std::ranges::find(known, entry.key) != known.end()) continue;
      const std::string guess = did_you_mean(entry.key, absent);
      if (!guess.empty())
        fail_input("{}: {}{}: unknown key{}", to_string(entry.key_location), path, entry.key,
                   guess);
    }
    for (const auto& [index, part] : parts) part.record_->refuse_misspelt();
  }
};

std::string_view name_of(KeyType type) {
  constexpr std::array<std::string_view, 8> kNames{
      "number", "integer", "list of integers", "flag", "text", "choice", "part", "list of parts"};
  static_assert(static_cast<std::size_t>(KeyType::kParts) == kNames.size() - 1);
  return kNames[static_cast<std::size_t>(type)];
}

namespace {

const Node& empty_mapping() {
  static const Node empty;
  return empty;
}

std::string range_text(double min, double max) {
  const bool has_min = std::isfinite(min), has_max = std::isfinite(max);
  if (has_min && has_max) return fmt::format("{} .. {}", min, max);
  if (has_min) return fmt::format("at least {}", min);
  if (has_max) return fmt::format("at most {}", max);
  return {};
}

std::string range_text(std::int64_t min, std::int64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max()) return fmt::format("at least {}", min);
  return fmt::format("{} .. {}", min, max);
}

bool is_finite(double value) { return std::isfinite(value); }
bool is_finite(std::int64_t) { return true; }

bool is_too_large(double) { return false; }
bool is_too_large(std::int64_t value) {
  return value > kLargestInteger || value < -kLargestInteger;
}

std::string too_large(const std::string& found) {
  return fmt::format("found {}, allowed are integers up to 2^53, {}", found, kLargestInteger);
}

/// Empty where there is no limit, for integers the largest one.
template <class Value>
void declare_range(Declaration& declaration, Value min, Value max) {
  if (is_finite(min)) declaration.min = fmt::format("{}", min);
  if (is_finite(max) && max < std::numeric_limits<Value>::max())
    declaration.max = fmt::format("{}", max);
}

template <class Value>
std::optional<Value> value_in(const std::string& text) {
  if constexpr (std::is_floating_point_v<Value>)
    return number_in(text);
  else
    return integer_in(text);
}

}  // namespace

Options::Options(std::shared_ptr<Record> record) : record_(std::move(record)) {}

Options::Options(const Node& mapping)
    : Options(std::make_shared<Record>(
          Record{.mapping = mapping, .where = mapping.where, .path = ""})) {
  if (mapping.kind != Node::Kind::kMap)
    fail_input("{}: found {}, expected a mapping", to_string(mapping.where),
               describe_found(mapping));
}

Options Options::describing() { return describing(empty_mapping()); }

Options Options::describing(const Node& mapping) {
  return Options(std::make_shared<Record>(
      Record{.mapping = mapping, .where = {}, .path = "", .describing = true}));
}

std::string Options::path_of(std::string_view key) const {
  return record_->path + std::string(key);
}

void Options::fail_at(const Location& where, std::string_view key, std::string_view what) const {
  fail_input("{}: {}: {}", to_string(where), path_of(key), what);
}

void Options::fail(std::string_view key, std::string_view what) const {
  record_->refuse_misspelt({std::string(key)});
  for (auto outer = record_->around.lock(); outer != nullptr; outer = outer->around.lock())
    outer->refuse_misspelt();
  const Node::Entry* const entry = record_->find(key);
  fail_at(entry != nullptr ? entry->value.where : record_->where, key, what);
}

const Node* Options::find_scalar(std::string_view key, std::string_view expected) const {
  const Node::Entry* const entry = record_->find(key);
  if (entry == nullptr) return nullptr;
  if (entry->value.kind != Node::Kind::kScalar)
    fail_at(entry->value.where, key,
            fmt::format("found {}, expected {}", describe_found(entry->value), expected));
  return &entry->value;
}

/// Adds a key to the record, as required when it has no `fallback`.
Declaration& Options::declare(std::string_view key, KeyType type, std::string_view meaning,
                              const std::optional<std::string>& fallback, std::string allowed,
                              std::string value) {
  return record_->declared.emplace_back(Declaration{.key = std::string(key),
                                                    .type = type,
                                                    .fallback = fallback.value_or(""),
                                                    .required = !fallback,
                                                    .allowed = std::move(allowed),
                                                    .meaning = std::string(meaning),
                                                    .value = std::move(value),
                                                    .parts = {}});
}

template <class Value, class Key>
Value Options::ranged(std::string_view key, const Key& declared, KeyType type,
                      std::string_view expected) {
  const std::string allowed = range_text(declared.min, declared.max);
  Value value = declared.fallback.value_or(is_finite(declared.min) ? declared.min : 0);
  if (const Node* const found = find_scalar(key, expected)) {
    const std::optional<Value> read = value_in<Value>(found->scalar);
    if (!read || !is_finite(*read))
      fail_at(found->where, key, fmt::format("found '{}', expected {}", found->scalar, expected));
    value = *read;
    if (value < declared.min || value > declared.max)
      fail_at(found->where, key, fmt::format("found {}, allowed is {}", value, allowed));
    if (is_too_large(value)) fail_at(found->where, key, too_large(found->scalar));
  } else if (!declared.fallback && !record_->describing) {
    fail(key,
         fmt::format("missing, expected {}{}{}", expected, allowed.empty() ? "" : ", ", allowed));
  }
  std::optional<std::string> fallback;
  if (declared.fallback) fallback = fmt::format("{}", *declared.fallback);
  declare_range(declare(key, type, declared.meaning, fallback, allowed, fmt::format("{}", value)),
                declared.min, declared.max);
  return value;
}

double Options::number(std::string_view key, const NumberKey& declared) {
  return ranged<double>(key, declared, KeyType::kNumber, "a number");
}

std::int64_t Options::read_integer(std::string_view key, const IntegerKey& declared) {
  return ranged<std::int64_t>(key, declared, KeyType::kInteger, "an integer");
}

std::vector<std::int64_t> Options::integers(std::string_view key, const IntegersKey& declared) {
  const std::string allowed = range_text(declared.min, declared.max);
  std::vector<std::int64_t> values = declared.fallback.value_or(std::vector<std::int64_t>{});
  if (const Node::Entry* const entry = record_->find(key)) {
    if (entry->value.kind != Node::Kind::kList)
      fail(key, fmt::format("found {}, expected a list of integers", describe_found(entry->value)));
    values.clear();
    for (const Node& item : entry->value.items) {
      const auto read = item.kind == Node::Kind::kScalar ? integer_in(item.scalar) : std::nullopt;
      if (!read)
        fail_at(item.where, key,
                fmt::format("found {}, expected an integer", describe_found(item)));
      const std::int64_t value = values.emplace_back(*read);
      if (value < declared.min || value > declared.max)
        fail_at(item.where, key, fmt::format("found {}, allowed is {}", value, allowed));
      if (is_too_large(value)) fail_at(item.where, key, too_large(item.scalar));
    }
  } else if (!declared.fallback && !record_->describing) {
    fail(key, fmt::format("missing, expected a list of integers, each {}", allowed));
  }
  if (declared.ascending &&
      std::ranges::adjacent_find(values, std::ranges::greater_equal()) != values.end())
    fail(key,
         fmt::format("found [{}], each must be more than the one before it", join(values, ", ")));
  std::optional<std::string> fallback;
  if (declared.fallback) fallback = yaml_list(*declared.fallback);
  declare_range(
      declare(key, KeyType::kIntegers, declared.meaning, fallback, allowed, yaml_list(values)),
      declared.min, declared.max);
  return values;
}

bool Options::flag(std::string_view key, const FlagKey& declared) {
  bool value = declared.fallback;
  if (const Node* const found = find_scalar(key, "true or false")) {
    const std::optional<bool> read = flag_in(found->scalar);
    if (!read)
      fail_at(found->where, key, fmt::format("found '{}', expected true or false", found->scalar));
    value = *read;
  }
  declare(key, KeyType::kFlag, declared.meaning, fmt::format("{}", declared.fallback),
          "true | false", fmt::format("{}", value));
  return value;
}

std::string Options::text(std::string_view key, const TextKey& declared) {
  std::string value = declared.fallback.value_or("");
  if (const Node* const found = find_scalar(key, "text")) {
    value = found->scalar;
  } else if (!declared.fallback && !record_->describing) {
    fail(key, "missing, expected text");
  }
  declare(key, KeyType::kText, declared.meaning, declared.fallback, "", yaml_text(value));
  return value;
}

std::size_t Options::choose(std::string_view key, const ChoiceKey& declared) {
  const std::string allowed = join(declared.choices, " | ");
  std::string value = declared.fallback.value_or(declared.choices.front());
  if (const Node* const found = find_scalar(key, fmt::format("one of {}", allowed))) {
    value = found->scalar;
    if (std::ranges::find(declared.choices, value) == declared.choices.end())
      fail_at(
          found->where, key,
          fmt::format("found '{}', allowed is {}", value, allowed_names(value, declared.choices)));
  } else if (!declared.fallback && !record_->describing) {
    fail(key, fmt::format("missing, expected one of {}", allowed));
  }
  declare(key, KeyType::kChoice, declared.meaning, declared.fallback, allowed, yaml_text(value))
      .choices = declared.choices;
  const auto chosen = std::ranges::find(declared.choices, value);
  check(chosen != declared.choices.end(), "a default is one of the choices");
  return chosen - declared.choices.begin();
}

std::string Options::choice(std::string_view key, const ChoiceKey& declared) {
  return declared.choices[choose(key, declared)];
}

/// Opens the nested mapping `name`, whose declaration follows.
Options Options::nested(const Node& mapping, Location where, std::string_view name) {
  Options part(std::make_shared<Record>(Record{.mapping = mapping,
                                               .where = std::move(where),
                                               .path = path_of(name) + ".",
                                               .describing = record_->describing,
                                               .around = record_}));
  record_->parts.emplace_back(record_->declared.size(), part);
  return part;
}

Options Options::part(std::string_view key, std::string_view meaning) {
  const Node::Entry* const entry = record_->find(key);
  if (entry != nullptr && entry->value.kind != Node::Kind::kMap)
    fail(key, fmt::format("found {}, expected a mapping such as {{name: ...}}",
                          describe_found(entry->value)));
  Options part = entry == nullptr ? nested(empty_mapping(), record_->where, key)
                                  : nested(entry->value, entry->value.where, key);
  declare(key, KeyType::kPart, meaning, "", "", "");
  return part;
}

bool Options::leaves_out(std::string_view key) const {
  if (record_->describing || record_->find(key) != nullptr) return false;
  record_->left_out.emplace_back(key);
  return true;
}

bool Options::was_optional(std::string_view key) const {
  record_->declared.back().may_be_absent = true;
  record_->declared.back().required = false;
  return record_->find(key) != nullptr;
}

std::optional<Options> Options::optional_part(std::string_view key, std::string_view meaning) {
  if (leaves_out(key)) return {};
  Options read = part(key, meaning);
  record_->declared.back().may_be_absent = true;
  return read;
}

std::vector<Options> Options::parts(std::string_view key, std::string_view meaning) {
  std::vector<Options> parts;
  if (const Node::Entry* const entry = record_->find(key)) {
    if (entry->value.kind != Node::Kind::kList)
      fail(key, fmt::format("found {}, expected a list of mappings such as [{{name: ...}}]",
                            describe_found(entry->value)));
    for (const Node& item : entry->value.items) {
      const std::string name = fmt::format("{}[{}]", key, parts.size());
      if (item.kind != Node::Kind::kMap)
        fail_at(item.where, name,
                fmt::format("found {}, expected a mapping such as {{name: ...}}",
                            describe_found(item)));
      parts.push_back(nested(item, item.where, name));
    }
  }
  declare(key, KeyType::kParts, meaning, "[]", "", parts.empty() ? "[]" : "");
  return parts;
}

void Options::add_places(std::vector<std::string>& places) const {
  for (const Declaration& declared : record_->declared) places.push_back(path_of(declared.key));
  for (const auto& [index, part] : record_->parts) part.add_places(places);
}

void Options::fail_unknown(const Node::Entry& entry, const std::vector<std::string>& keys,
                           const std::vector<std::string>& places) const {
  constexpr std::size_t kMostPlaces = 3;
  std::vector<std::string> elsewhere;
  for (const std::string& place : places)
    if (place.ends_with("." + entry.key) && !place.ends_with("]." + entry.key))
      elsewhere.push_back(fmt::format("'{}'", place));
  if (!elsewhere.empty() && elsewhere.size() <= kMostPlaces)
    fail_at(entry.key_location, entry.key,
            fmt::format("unknown key here, did you mean {}?", join(elsewhere, " or ")));
  fail_at(entry.key_location, entry.key,
          fmt::format("unknown key, allowed is {}", allowed_names(entry.key, keys)));
}

void Options::finish() const {
  std::vector<std::string> places;
  add_places(places);
  finish(places);
}

void Options::finish(const std::vector<std::string>& places) const {
  const std::vector<std::string> keys = record_->keys();
  std::set<std::string> seen;
  for (const Node::Entry& entry : record_->mapping.entries) {
    if (!seen.insert(entry.key).second)
      fail_at(entry.key_location, entry.key, "found twice in one mapping");
    if (std::ranges::find(keys, entry.key) == keys.end()) fail_unknown(entry, keys, places);
  }
  for (const auto& [index, part] : record_->parts) part.finish(places);
}

std::vector<Declaration> Options::declarations() const {
  std::vector<Declaration> declared = record_->declared;
  for (const auto& [index, part] : record_->parts) {
    Declaration& whole = declared[index];
    if (whole.type == KeyType::kPart)
      whole.parts = part.declarations();
    else
      whole.parts.push_back({.key = fmt::format("[{}]", whole.parts.size()),
                             .type = KeyType::kPart,
                             .fallback = "",
                             .required = false,
                             .allowed = "",
                             .meaning = whole.meaning,
                             .value = "",
                             .parts = part.declarations()});
  }
  return declared;
}

}  // namespace localbatch
