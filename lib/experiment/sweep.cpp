#include "experiment/sweep.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace localbatch {

namespace {

constexpr std::size_t kMostCells = 10'000;
/// Every cell has a copy of the file; a gigabyte of them is none that a person has written.
constexpr std::size_t kMostValues = 4'000'000;
constexpr const char* kKey = "sweep";

/// What an axis does to an experiment at one of its places.
struct Choice {
  std::string value;                          ///< its name
  std::vector<const Node::Entry*> keys = {};  ///< "part.key" and what to put there
  const Node* item = nullptr;  ///< without keys: the value of the key that the axis names
};

using Seen = std::set<std::vector<SweepCell::Coordinate>>;

struct SweepAxis {
  const Node::Entry* entry = nullptr;
  std::vector<Choice> choices = {};
};

[[noreturn]] void fail(const Location& where, const std::string& text) {
  fail_input("{}: {}: {}", to_string(where), kKey, text);
}

SweepAxis read_axis(const Node::Entry& entry) {
  SweepAxis axis{.entry = &entry};
  const Node& values = entry.value;
  if (values.kind == Node::Kind::kScalar)
    fail(values.where, fmt::format("{}: found {}, expected a list of values, or a mapping of names "
                                   "to mappings",
                                   entry.key, describe_found(values)));
  for (const Node& item : values.items)
    axis.choices.push_back({.value = flow_text(item), .item = &item});
  for (const Node::Entry& named : values.entries) {
    if (named.value.kind != Node::Kind::kMap)
      fail(named.value.where, fmt::format("{}: {}: found {}, expected a mapping of keys to values",
                                          entry.key, named.key, describe_found(named.value)));
    Choice& choice = axis.choices.emplace_back(Choice{.value = named.key});
    for (const Node::Entry& key : named.value.entries) choice.keys.push_back(&key);
  }
  if (axis.choices.empty())
    fail(values.where, fmt::format("{}: found no value, expected at least one", entry.key));
  return axis;
}

/// Values of one cell, each put in its place once.
class CellBuilder {
 public:
  explicit CellBuilder(Node experiment) : experiment_(std::move(experiment)) {}

  void put(const std::string& path, const Location& where, const Node& value) {
    check_is_new(path, where);
    Node* target = &experiment_;
    std::size_t begin = 0;
    while (begin <= path.size()) {
      const std::size_t end = std::min(path.find('.', begin), path.size());
      const std::string key = path.substr(begin, end - begin);
      if (key.empty() || (begin == 0 && key == kKey))
        fail(where, fmt::format("found '{}', expected a key such as sync_interval.H", path));
      if (target->kind != Node::Kind::kMap)
        fail(where, fmt::format("{}: {} is not a mapping, it has no key '{}'", path,
                                describe_found(*target), key));
      target = &value_of(*target, key, where);
      begin = end + 1;
    }
    *target = value;
  }

  Node take() { return std::move(experiment_); }

 private:
  static Node& value_of(Node& mapping, const std::string& key, const Location& where) {
    for (Node::Entry& entry : mapping.entries)
      if (entry.key == key) return entry.value;
    Node::Entry& made = mapping.entries.emplace_back();
    made.key = key;
    made.key_location = made.value.where = where;
    return made.value;
  }

  /// Also when one is a part of the other: which of them counts would depend on the order.
  void check_is_new(const std::string& path, const Location& where) {
    for (const auto& [other, place] : set_) {
      if (set_the_same(path, other))
        fail(where, fmt::format("{}: the same cell sets {} in {}", path, other, to_string(place)));
    }
    set_.emplace_back(path, where);
  }

  Node experiment_;
  std::vector<std::pair<std::string, Location>> set_;
};

std::size_t count_values(const Node& node) {
  std::size_t count = 1;
  for (const Node& item : node.items) count += count_values(item);
  for (const Node::Entry& entry : node.entries) count += count_values(entry.value);
  return count;
}

/// Every combination of the axes' choices, the last axis fastest.
void add_product(const Node& base, const Node& sweep, Seen& seen, std::vector<SweepCell>& cells) {
  if (sweep.kind != Node::Kind::kMap || sweep.entries.empty())
    fail(sweep.where, fmt::format("found {}, expected a mapping of keys to lists of values",
                                  describe_found(sweep)));
  std::vector<SweepAxis> axes;
  std::size_t count = 1;
  for (const Node::Entry& entry : sweep.entries) {
    axes.push_back(read_axis(entry));
    count *= axes.back().choices.size();
    if (count + cells.size() > kMostCells)
      fail(sweep.where, fmt::format("found more than {} cells", kMostCells));
  }
  if (const std::size_t values = count_values(base); (count + cells.size()) * values > kMostValues)
    fail(sweep.where, fmt::format("found {} cells of {} values, allowed are at most {} values",
                                  count, values, kMostValues));
  for (std::size_t number = 0; number < count; ++number) {
    CellBuilder builder(base);
    SweepCell cell;
    std::size_t stride = count;
    for (const SweepAxis& axis : axes) {
      stride /= axis.choices.size();
      const Choice& choice = axis.choices[number / stride % axis.choices.size()];
      cell.coordinates.push_back({axis.entry->key, choice.value});
      if (choice.item != nullptr)
        builder.put(axis.entry->key, axis.entry->key_location, *choice.item);
      for (const Node::Entry* const key : choice.keys)
        builder.put(key->key, key->key_location, key->value);
    }
    if (!seen.insert(cell.coordinates).second)
      fail(sweep.where, fmt::format("found the cell {} twice", cell_name(cell.coordinates)));
    cell.experiment = builder.take();
    cells.push_back(std::move(cell));
  }
}

}  // namespace

bool set_the_same(const std::string& key, const std::string& other) {
  const auto& [shorter, longer] =
      std::minmax(key, other, [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return longer.starts_with(shorter) &&
         (longer.size() == shorter.size() || longer[shorter.size()] == '.');
}

std::vector<SweepCell> sweep_cells(const Node& file) {
  Node base = file;
  std::erase_if(base.entries, [](const Node::Entry& entry) { return entry.key == kKey; });
  const Node::Entry* const sweep = file.find(kKey);
  if (sweep == nullptr) return {{.coordinates = {}, .experiment = std::move(base)}};
  Seen seen;
  std::vector<SweepCell> cells;
  if (sweep->value.kind == Node::Kind::kList && !sweep->value.items.empty()) {
    for (const Node& product : sweep->value.items) add_product(base, product, seen, cells);
  } else {
    add_product(base, sweep->value, seen, cells);
  }
  return cells;
}

std::vector<std::string> swept_keys(const Node& file) {
  std::vector<std::string> keys;
  const Node::Entry* const sweep = file.find(kKey);
  if (sweep == nullptr) return keys;
  const auto add = [&keys](const Node& product) {
    for (const Node::Entry& axis : product.entries) {
      if (axis.value.kind == Node::Kind::kList) keys.push_back(axis.key);
      for (const Node::Entry& named : axis.value.entries)
        for (const Node::Entry& key : named.value.entries) keys.push_back(key.key);
    }
  };
  add(sweep->value);
  for (const Node& product : sweep->value.items) add(product);
  return keys;
}

std::string cell_name(const std::vector<SweepCell::Coordinate>& coordinates) {
  std::string name;
  for (const auto& [axis, value] : coordinates) {
    std::string piece = axis.substr(axis.rfind('.') + 1) + "=" + value;
    for (char& c : piece)
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '=' && c != '.' && c != '-')
        c = '_';
    name += (name.empty() ? "" : "-") + piece;
  }
  return name;
}

}  // namespace localbatch
