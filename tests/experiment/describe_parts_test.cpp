#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "experiment/communication.h"
#include "experiment/experiment.h"
#include "experiment/fixtures.h"

namespace localbatch {

namespace {

/// The key of the experiment file under which the keys of `description` stand.
std::string mapping_of(const PartDescription& description) {
  return description.part.substr(0, description.part.find('.'));
}

/// `part: {name: ..., its required keys, more}` within an experiment that has all it needs. The
/// values of required keys are the placeholders of the description.
std::string experiment_with(const PartDescription& description, const std::string& more) {
  std::map<std::string, std::string> parts = {{"dataset", "name: synthetic"},
                                              {"learning_rate", "peak: 0.1"}};
  const std::string part = mapping_of(description);
  const auto add = [&](const std::string& keys) {
    if (!parts[part].empty() && !keys.empty()) parts[part] += ", ";
    parts[part] += keys;
  };
  if (description.choice == "name") parts[part].clear();
  if (!description.name.empty()) add(description.choice + ": " + description.name);
  if (!description.name.empty() || description.may_be_absent) {
    for (const Declaration& key : description.keys)
      if (key.required) add(fmt::format("{}: {}", key.key, key.value));
  }
  const bool needs_images =
      description.name == "network" || description.name == "logistic_regression";
  if (description.part == "problem" && !description.name.empty() && !needs_images)
    parts.erase("dataset");
  std::string text = "max_samples: 100\n";
  if (!more.starts_with("workers")) text += "workers: 2\n";  // whose gradients a test compares
  if (part.empty()) {
    text += more + "\n";
    parts.erase("");
  } else {
    add(more);
  }
  for (const auto& [key, keys] : parts) text += fmt::format("{}: {{{}}}\n", key, keys);
  return text;
}

std::set<std::string> names(const std::vector<Declaration>& keys) {
  std::set<std::string> names;
  for (const Declaration& key : keys) names.insert(key.key);
  return names;
}

const PartDescription& description_of(const std::vector<PartDescription>& parts,
                                      std::string_view part, std::string_view name) {
  const auto found = std::ranges::find_if(parts, [&](const PartDescription& description) {
    return description.part == part && description.name == name;
  });
  REQUIRE(found != parts.end());
  return *found;
}

const PartDescription& shared_description(const std::vector<PartDescription>& parts,
                                          std::string_view part) {
  return description_of(parts, part, "");
}

/// Of keys that a file without them has.
std::set<std::string> names_of_settings(std::vector<Declaration> keys) {
  std::erase_if(keys, [](const Declaration& key) { return key.may_be_absent; });
  return names(keys);
}

std::set<std::string> names_of_shared(const std::vector<PartDescription>& parts,
                                      std::string_view part) {
  return names_of_settings(shared_description(parts, part).keys);
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
    std::set<std::string> described = names_of_settings(description.keys);
    described.merge(names_of_shared(parts, description.part));
    if (description.part == "dataset.partition") {
      described.merge(names(description_of(parts, "dataset", "synthetic").keys));
      described.merge(names_of_shared(parts, "dataset"));
    }
    if (description.part == "communication.parameters")
      described.merge(names_of_shared(parts, "communication"));
    const std::vector<Declaration> read = read_text(experiment_with(description, "")).resolved;
    const auto part = std::ranges::find(read, mapping_of(description), &Declaration::key);
    REQUIRE(part != read.end());
    CHECK(names(part->parts) == described);
  }
}

TEST_CASE("every key, misspelt, is refused") {
  int keys = 0;
  for (const PartDescription& description : describe_parts())
    for (const Declaration& key : description.keys) {
      const std::string part = mapping_of(description);
      const std::string path = (part.empty() ? "" : part + ".") + key.key + "x";
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
      CHECK_FALSE(name_of(key.type).empty());
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
  same("problem", task_names());
  same("dataset", part_names(dataset_table()));
  same("dataset.partition", part_names(partition_table()));
  same("model", part_names(model_table()));
  same("inner_optimizer", part_names(inner_optimizer_table()));
  same("outer_optimizer", part_names(outer_optimizer_table()));
  same("learning_rate", part_names(learning_rate_table()));
  same("learning_rate_coupling", part_names(learning_rate_coupling_table()));
  same("sync_interval", part_names(sync_interval_table()));
  same("communication.parameters", part_names(parameter_format_table()));
  same("batch_size_controller", part_names(batch_size_controller_table()));
  CHECK(described.size() == 11);
}

TEST_CASE("a choice within a part follows it, with the keys that stand beside it") {
  const std::vector<PartDescription> parts = describe_parts();
  std::vector<std::string> order;
  for (const PartDescription& description : parts)
    if (order.empty() || order.back() != description.part) order.push_back(description.part);
  const auto dataset = std::ranges::find(order, "dataset");
  REQUIRE(dataset != order.end());
  CHECK(*(dataset + 1) == "dataset.partition");

  const PartDescription& dirichlet = description_of(parts, "dataset.partition", "dirichlet");
  CHECK(dirichlet.choice == "partition");
  CHECK(names(dirichlet.keys) == std::set<std::string>{"alpha"});
  CHECK(names(description_of(parts, "dataset.partition", "shards").keys) ==
        std::set<std::string>{"shards_per_worker"});
  CHECK(description_of(parts, "model", "mlp").choice == "name");
}

TEST_CASE("every method has a formula and a source, each one line of ASCII") {
  const std::set<std::string> without_formula = {"batch_size_controller fixed", "problem network",
                                                 "communication.parameters f32"};
  const std::set<std::string> without_source = {"batch_size_controller fixed", "problem network",
                                                "communication.parameters f32", "model mlp",
                                                "model softmax_regression"};
  for (const PartDescription& description : describe_parts()) {
    if (description.name.empty()) {
      CHECK(description.formula.empty());
      CHECK(description.source.empty());
      continue;
    }
    const std::string name = description.part + " " + description.name;
    CAPTURE(name);
    const bool is_method = description.part != "dataset" && description.part != "model";
    CHECK(description.formula.empty() == (!is_method || without_formula.contains(name)));
    CHECK(description.source.empty() == without_source.contains(name));
    for (const std::string& text : {description.formula, description.source})
      CHECK(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }));
  }
}

TEST_CASE("a formula names every key of its method that is no choice of words") {
  for (const PartDescription& description : describe_parts()) {
    if (description.formula.empty() || description.part == "problem") continue;
    CAPTURE(description.part);
    CAPTURE(description.name);
    for (const Declaration& key : description.keys) {
      if (key.type == KeyType::kChoice) continue;
      CAPTURE(key.key);
      CHECK(contains(description.formula, key.key));
    }
  }
}

}  // namespace localbatch
