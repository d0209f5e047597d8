#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "experiment/experiment.h"
#include "experiment/fixtures.h"

namespace localbatch {

namespace {

/// `part: {name: ..., its required keys, more}` within an experiment that has all it needs. The
/// values of required keys are the placeholders of the description.
std::string experiment_with(const PartDescription& description, const std::string& more) {
  std::map<std::string, std::string> parts = {{"dataset", "name: synthetic"},
                                              {"learning_rate", "peak: 0.1"}};
  if (!description.name.empty()) {
    std::string keys = "name: " + description.name;
    for (const Declaration& key : description.keys)
      if (key.required) keys += fmt::format(", {}: {}", key.key, key.value);
    parts[description.part] = keys;
  }
  std::string text = "max_samples: 100\n";
  if (description.part.empty()) {
    text += more + "\n";
  } else {
    std::string& keys = parts[description.part];
    if (!keys.empty() && !more.empty()) keys += ", ";
    keys += more;
  }
  for (const auto& [part, keys] : parts) text += fmt::format("{}: {{{}}}\n", part, keys);
  return text;
}

std::set<std::string> names(const std::vector<Declaration>& keys) {
  std::set<std::string> names;
  for (const Declaration& key : keys) names.insert(key.key);
  return names;
}

const PartDescription& shared_description(const std::vector<PartDescription>& parts,
                                          const std::string& part) {
  const auto found = std::ranges::find_if(parts, [&](const PartDescription& description) {
    return description.part == part && description.name.empty();
  });
  REQUIRE(found != parts.end());
  return *found;
}

}  // namespace

TEST_CASE("every part can be read by its name with defaults") {
  for (const PartDescription& description : describe_parts()) {
    CAPTURE(description.part);
    CAPTURE(description.name);
    CHECK(text_error(experiment_with(description, "")) == "(no InputError)");
  }
}

TEST_CASE("a part reads exactly the keys that its description lists") {
  const std::vector<PartDescription> parts = describe_parts();
  for (const PartDescription& description : parts) {
    if (description.part.empty() || description.name.empty()) continue;
    CAPTURE(description.part);
    CAPTURE(description.name);
    std::set<std::string> described = names(description.keys);
    described.merge(names(shared_description(parts, description.part).keys));
    const std::vector<Declaration> read = read_text(experiment_with(description, "")).resolved;
    const auto part = std::ranges::find_if(
        read, [&](const Declaration& key) { return key.key == description.part; });
    REQUIRE(part != read.end());
    CHECK(names(part->parts) == described);
  }
}

TEST_CASE("every key, misspelt, is refused") {
  int keys = 0;
  for (const PartDescription& description : describe_parts())
    for (const Declaration& key : description.keys) {
      const std::string path =
          (description.part.empty() ? "" : description.part + ".") + key.key + "x";
      const std::string message =
          text_error(experiment_with(description, key.key + "x: " + key.value));
      CHECK_MESSAGE(
          one_line_with(message, {"test.yaml:", ": " + path + ": unknown key, allowed is ",
                                  "did you mean '" + key.key + "'?"}),
          message);
      ++keys;
    }
  CHECK(keys > 50);
}

TEST_CASE("every key, given its own default, is accepted") {
  for (const PartDescription& description : describe_parts())
    for (const Declaration& key : description.keys) {
      if (key.required || key.key == "name") continue;
      CAPTURE(description.part);
      CAPTURE(key.key);
      CHECK(text_error(experiment_with(description, key.key + ": " + key.value)) ==
            "(no InputError)");
    }
}

TEST_CASE("every part and every key has a meaning, and none is listed twice") {
  const std::vector<PartDescription> parts = describe_parts();
  std::set<std::pair<std::string, std::string>> seen;
  for (const PartDescription& description : parts) {
    CAPTURE(description.part);
    CAPTURE(description.name);
    CHECK(seen.insert({description.part, description.name}).second);
    CHECK_FALSE(description.summary.empty());
    std::set<std::string> keys;
    if (!description.name.empty()) keys = names(shared_description(parts, description.part).keys);
    for (const Declaration& key : description.keys) {
      CAPTURE(key.key);
      CHECK_FALSE(key.meaning.empty());
      CHECK_FALSE(key.type.empty());
      CHECK(keys.insert(key.key).second);
    }
  }
}

TEST_CASE("all implementations of all tables are described") {
  std::map<std::string, std::set<std::string>> described;
  for (const PartDescription& description : describe_parts())
    if (!description.name.empty()) described[description.part].insert(description.name);
  const auto same = [&](const std::string& part, const std::vector<std::string>& table) {
    CHECK(described[part] == std::set<std::string>(table.begin(), table.end()));
  };
  same("dataset", part_names(dataset_table()));
  same("model", part_names(model_table()));
  same("inner_optimizer", part_names(inner_optimizer_table()));
  same("outer_optimizer", part_names(outer_optimizer_table()));
  same("learning_rate", part_names(learning_rate_table()));
  same("learning_rate_coupling", part_names(learning_rate_coupling_table()));
  same("sync_interval", part_names(sync_interval_table()));
  same("batch_size_controller", part_names(batch_size_controller_table()));
  CHECK(described.size() == 8);
}

}  // namespace localbatch
