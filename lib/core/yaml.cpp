#include "core/yaml.h"

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "core/text.h"

namespace localbatch {

std::string to_string(const Location& location) {
  if (location.line == 0) return location.source;
  return fmt::format("{}:{}:{}", location.source, location.line, location.column);
}

const Node::Entry* Node::find(const std::string& key) const {
  const auto found =
      std::ranges::find_if(entries, [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string describe_found(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kMap:
      return "a mapping";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kScalar:
      break;
  }
  return fmt::format("'{}'", node.scalar);
}

std::string yaml_text(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '/';
  });
  const bool number_like =
      plain && (std::isdigit(static_cast<unsigned char>(text.front())) != 0 || text.front() == '-');
  const bool means_null = text == "null" || text == "Null" || text == "NULL";
  if (plain && !number_like && !means_null) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

std::string yaml_list(const std::vector<std::int64_t>& values) {
  return fmt::format("[{}]", join(values, ", "));
}

std::string flow_text(const Node& node) {
  if (node.kind == Node::Kind::kScalar) return node.scalar;
  std::vector<std::string> parts;
  for (const Node& item : node.items) parts.push_back(flow_text(item));
  for (const Node::Entry& entry : node.entries)
    parts.push_back(entry.key + ": " + flow_text(entry.value));
  const bool is_list = node.kind == Node::Kind::kList;
  return fmt::format("{}{}{}", is_list ? "[" : "{", join(parts, ", "), is_list ? "]" : "}");
}

namespace {

Location location(const YAML::Mark& mark, const std::string& source) {
  if (mark.is_null()) return {.source = source};
  return {.source = source, .line = mark.line + 1, .column = mark.column + 1};
}

bool is_control_character(unsigned char c) { return c < 0x20 || c == 0x7f; }

bool has_control_characters(const std::string& text) {
  return std::ranges::any_of(text, is_control_character);
}

/// The message of the YAML library, which quotes an unexpected character even if it is not
/// printable.
std::string message_of(const YAML::Exception& error) {
  std::string message;
  for (const char c : error.msg)
    message += is_control_character(c) ? fmt::format("\\x{:02x}", c) : std::string(1, c);
  return message;
}

/// Values in an experiment file; a few anchors inside each other could stand for billions.
constexpr int kMaxValues = 20'000;

[[noreturn]] void fail_many_values(const Location& where) {
  fail_input("{}: found more than {} values, those that anchors stand for included",
             to_string(where), kMaxValues);
}

/// Where the documents of a YAML text begin, and how many values and keys it has: little work and
/// no memory, before a tree is made of them.
struct FirstLook : YAML::EventHandler {
  explicit FirstLook(const std::string& its_source) : source(its_source) {}

  const std::string& source;
  std::vector<YAML::Mark> starts;
  int num_events = 0;

  /// A value may have a key.
  void count(const YAML::Mark& mark) {
    if (++num_events > 2 * kMaxValues) fail_many_values(location(mark, source));
  }

  void OnDocumentStart(const YAML::Mark& mark) override { starts.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    count(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    count(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    count(mark);
  }
  void OnMapEnd() override {}
};

/// The JSON files of a run hold texts of its experiment, and JSON is UTF-8.
void check_utf8(std::string_view text, const std::string& source, bool has_lines) {
  // A byte 0 is UTF-8 too, but ends what the YAML library reads.
  const std::size_t length = std::min(length_of_utf8(text), text.find('\0'));
  if (length == text.size() || length == std::string_view::npos) return;
  const std::string_view before = text.substr(0, length);
  Location where{.source = source};
  if (has_lines) {
    const std::string_view line = before.substr(before.rfind('\n') + 1);
    where.line = 1 + static_cast<int>(std::ranges::count(before, '\n'));
    where.column = 1 + static_cast<int>(std::ranges::count_if(
                           line, [](unsigned char c) { return (c & 0xC0) != 0x80; }));
  }
  fail_input("{}: found the byte 0x{:02x}, which is {}; save the text as UTF-8", to_string(where),
             static_cast<unsigned char>(text[length]),
             text[length] == '\0' ? "in no text" : "not UTF-8");
}

/// The only document of a text, null when there is none. YAML::LoadAll would be shorter, but finds
/// documents without end in a text that begins with a comma.
YAML::Node load(const std::string& text, const std::string& source) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  FirstLook look(source);
  const std::vector<YAML::Mark>& starts = look.starts;
  while (starts.size() < 2 && parser.HandleNextDocument(look)) {
  }
  if (starts.size() > 1) {
    const bool stuck = starts[0].pos == starts[1].pos;
    throw YAML::ParserException(starts[1], stuck ? "expected a value" : "expected one document");
  }
  return YAML::Load(text);
}

/// Bytes of a value or a setting, as of a path. With kMaxValues, this bounds the memory of a file
/// in which anchors repeat a text.
constexpr std::size_t kMaxLength = 4096;

/// A word of the file. A value goes into messages, names and `experiment.yaml`, one line each.
std::string word(const YAML::Node& yaml, const std::string& source) {
  if (yaml.Scalar().size() > kMaxLength)
    fail_input("{}: found a text of {} bytes, allowed are at most {}",
               to_string(location(yaml.Mark(), source)), yaml.Scalar().size(), kMaxLength);
  if (has_control_characters(yaml.Scalar()))
    fail_input("{}: found a text of several lines or with control characters, expected one line",
               to_string(location(yaml.Mark(), source)));
  return yaml.Scalar();
}

/// Levels of mappings in an experiment file; an anchor inside itself would have no end of them.
constexpr int kMaxDepth = 16;

/// `num_values` counts the values of the whole file so far.
Node convert(const YAML::Node& yaml, const std::string& source, int depth, int& num_values) {
  Node node;
  node.where = location(yaml.Mark(), source);
  if (depth > kMaxDepth)
    fail_input("{}: nested in more than {} levels", to_string(node.where), kMaxDepth);
  if (++num_values > kMaxValues) fail_many_values(node.where);
  switch (yaml.Type()) {
    case YAML::NodeType::Map:
      node.kind = Node::Kind::kMap;
      for (const auto& entry : yaml) {
        if (!entry.first.IsScalar())
          fail_input("{}: a key must be a word", to_string(location(entry.first.Mark(), source)));
        if (entry.first.Scalar() == "<<")
          fail_input(
              "{}: found the merge key <<, expected the keys themselves; an alias can stand for a "
              "whole value, as in model: *base",
              to_string(location(entry.first.Mark(), source)));
        node.entries.push_back({.key = word(entry.first, source),
                                .key_location = location(entry.first.Mark(), source),
                                .value = convert(entry.second, source, depth + 1, num_values)});
      }
      break;
    case YAML::NodeType::Sequence:
      node.kind = Node::Kind::kList;
      for (const auto& item : yaml)
        node.items.push_back(convert(item, source, depth + 1, num_values));
      break;
    case YAML::NodeType::Scalar:
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      node.kind = Node::Kind::kScalar;
      node.scalar = yaml.IsScalar() ? word(yaml, source) : "";
      break;
  }
  return node;
}

Node convert(const YAML::Node& yaml, const std::string& source) {
  int num_values = 0;
  return convert(yaml, source, /*depth=*/0, num_values);
}

/// A setting has no lines: neither its value nor anything in it.
void forget_lines(Node& node, const std::string& source) {
  node.where = {.source = source};
  for (Node& item : node.items) forget_lines(item, source);
  for (Node::Entry& entry : node.entries) {
    entry.key_location = {.source = source};
    forget_lines(entry.value, source);
  }
}

}  // namespace

Node parse_yaml(const std::string& text, const std::string& source) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  if (text.size() > kMaxBytes)
    fail_input("{}: found {} bytes, allowed are at most {}", source, text.size(), kMaxBytes);
  check_utf8(text, source, /*has_lines=*/true);
  try {
    const YAML::Node yaml = load(text, source);
    if (!yaml.IsMap())
      fail_input("{}: found no mapping of keys to values",
                 to_string(location(yaml.Mark(), source)));
    return convert(yaml, source);
  } catch (const YAML::Exception& error) {
    fail_input("{}: not valid YAML: {}", to_string(location(error.mark, source)),
               message_of(error));
  }
}

void apply_setting(Node& experiment, const std::string& setting) {
  const std::string source = fmt::format("--set {}", setting);
  const std::size_t equals = setting.find('=');
  if (has_control_characters(setting))
    fail_input("--set: found control characters, expected key=value on one line");
  if (setting.size() > kMaxLength)
    fail_input("--set: found {} bytes, allowed are at most {}", setting.size(), kMaxLength);
  check_utf8(setting, "--set", /*has_lines=*/false);
  std::string_view path = std::string_view(setting).substr(0, equals);
  if (equals == std::string::npos || path.empty() || path.front() == '.' || path.back() == '.' ||
      path.find("..") != std::string_view::npos)
    fail_input("{}: expected key=value, such as batch_size_controller.eta=0.9", source);
  if (std::ranges::count(path, '.') >= kMaxDepth)
    fail_input("{}: nested in more than {} levels", source, kMaxDepth);

  Node* target = &experiment;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    const std::string key(path.substr(0, dot));
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
    if (target->kind != Node::Kind::kMap)
      fail_input("{}: {} is not a mapping, it has no key '{}'", source, describe_found(*target),
                 key);
    Node::Entry* entry = nullptr;
    for (Node::Entry& candidate : target->entries)
      if (candidate.key == key) entry = &candidate;
    if (entry == nullptr) {
      entry = &target->entries.emplace_back();
      entry->key = key;
      entry->key_location.source = entry->value.where.source = source;
    }
    target = &entry->value;
  }
  try {
    *target = convert(load(setting.substr(equals + 1), source), source);
  } catch (const YAML::Exception& error) {
    fail_input("{}: not valid YAML: {}", source, message_of(error));
  }
  forget_lines(*target, source);
}

}  // namespace localbatch
