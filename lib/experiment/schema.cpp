#include "experiment/schema.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/yaml.h"
#include "experiment/experiment.h"
#include "experiment/part_schemas.h"

namespace localbatch {

namespace {

Json reference_to(const std::string& definition) {
  return {{"$ref", "#/definitions/" + definition}};
}

/// What a file may and must hold if its problem is one of these.
struct ProblemRule {
  Json names = Json::array();
  Json foreign = Json::object();  ///< keys that only others have, as properties
  Json required = Json::array();
  bool is_default = false;
};

/// Properties that forbid the keys of `all` that are not among `some`; what belongs to the
/// implementation of a part is not looked at.
Json foreign_keys(const std::vector<Declaration>& all, const std::vector<Declaration>& some,
                  bool in_file) {
  Json properties = Json::object();
  for (const Declaration& key : all) {
    const Declaration* const same = find_key(some, key.key);
    if (same == nullptr) {
      properties[key.key] = false;
    } else if (in_file && find_key(key.parts, "name") == nullptr) {
      Json nested = foreign_keys(key.parts, same->parts, /*in_file=*/false);
      if (!nested.empty()) properties[key.key] = {{"properties", std::move(nested)}};
    }
  }
  return properties;
}

ProblemRule rule_of(const std::string& problem, const std::vector<Part>& parts) {
  const Node file = parse_yaml("problem: {name: " + problem + "}", "");
  const std::vector<Declaration> all = read_experiment(Options::describing()).resolved;
  const std::vector<Declaration> own = read_experiment(Options::describing(file)).resolved;
  ProblemRule rule{.foreign = foreign_keys(all, own, /*in_file=*/true),
                   .required = required_names(own)};
  for (const Part& part : parts)
    if (find_key(own, part.shared.part) != nullptr && is_required(part))
      rule.required.push_back(part.shared.part);
  return rule;
}

/// One for all problems that have the same keys.
std::vector<ProblemRule> problem_rules(const std::vector<Part>& parts) {
  std::vector<ProblemRule> rules;
  const auto problems =
      std::ranges::find(parts, "problem", [](const Part& part) { return part.shared.part; });
  for (const PartDescription& problem : problems->implementations) {
    const ProblemRule rule = rule_of(problem.name, parts);
    auto same = std::ranges::find_if(rules, [&](const ProblemRule& other) {
      return other.foreign == rule.foreign && other.required == rule.required;
    });
    if (same == rules.end()) same = rules.insert(rules.end(), rule);
    same->names.push_back(problem.name);
    same->is_default = same->is_default || problems->is_default(problem);
  }
  return rules;
}

Json is_problem(const ProblemRule& rule) {
  Json problem = chosen("name", {{"enum", rule.names}}, rule.is_default);
  return chosen("problem", std::move(problem), rule.is_default);
}

/// The schema of each key that a sweep may set, "batch_size.max".
Json settings_schema(const std::vector<Declaration>& top, const std::vector<Part>& parts) {
  Json settings = Json::object();
  add_keys(top, settings);
  const auto add = [&](const std::string& path, const Declaration& key) {
    Json& several = settings[path]["anyOf"];
    Json schema = schema_of(key);
    if (std::ranges::find(several, schema) == several.end()) several.push_back(std::move(schema));
  };
  for (const Part& part : parts) {
    const std::string& name = part.shared.part;
    settings[name] = reference_to(name);
    for (const auto* const some : {&part.implementations, &part.nested})
      for (const PartDescription& one : *some)
        for (const Declaration& key : one.keys) add(name + "." + key.key, key);
    for (const Declaration& key : part.shared.keys) add(name + "." + key.key, key);
  }
  return {{"type", "object"}, {"properties", std::move(settings)}, {"additionalProperties", false}};
}

/// Axes: a key with its values, or a name of its own with named settings of several keys.
Json product_schema(const Json& settings) {
  Json axes = Json::object();
  for (const auto& [key, schema] : settings.at("properties").items())
    axes[key] = {{"anyOf",
                  {{{"type", "array"},
                    {"minItems", 1},
                    {"items", reference_to("settings/properties/" + key)}},
                   reference_to("named_settings")}}};
  return {{"type", "object"},
          {"minProperties", 1},
          {"properties", std::move(axes)},
          {"additionalProperties", reference_to("named_settings")}};
}

Json definitions_of(const std::vector<Declaration>& top, const std::vector<Part>& parts) {
  Json definitions = Json::object();
  for (const Part& part : parts) {
    definitions[part.shared.part] = part_schema(part);
    if (part.shared.part == "batch_size_controller")
      definitions["shadow_controller"] = shadow_controller_schema(part);
  }
  definitions["settings"] = settings_schema(top, parts);
  definitions["named_settings"] = {
      {"type", "object"}, {"minProperties", 1}, {"additionalProperties", reference_to("settings")}};
  definitions["product"] = product_schema(definitions["settings"]);
  return definitions;
}

/// What a file without a sweep must hold.
Json complete_schema(const std::vector<Part>& parts, const std::vector<ProblemRule>& rules) {
  Json properties = Json::object(), required = Json::array();
  for (const Part& part : parts)
    if (Json schema = required_schema(part); !schema.is_null())
      properties[part.shared.part] = std::move(schema);
  for (const ProblemRule& rule : rules)
    required.push_back({{"if", is_problem(rule)}, {"then", {{"required", rule.required}}}});
  return {{"properties", std::move(properties)}, {"allOf", std::move(required)}};
}

}  // namespace

Json experiment_schema() {
  const std::vector<PartDescription> descriptions = describe_parts();
  const std::vector<Declaration>& top = descriptions.front().keys;
  const std::vector<Part> parts = parts_of(descriptions);
  const std::vector<ProblemRule> rules = problem_rules(parts);

  Json properties = Json::object(), all_of = Json::array();
  add_keys(top, properties);
  properties["shadow_controllers"]["items"] = reference_to("shadow_controller");
  for (const Part& part : parts) properties[part.shared.part] = reference_to(part.shared.part);
  properties["sweep"] = {
      {"description", "many runs: a mapping of keys to lists of values, or a list of such ones"},
      {"anyOf",
       {reference_to("product"),
        {{"type", "array"}, {"minItems", 1}, {"items", reference_to("product")}}}}};
  for (const ProblemRule& rule : rules)
    if (!rule.foreign.empty())
      all_of.push_back({{"if", is_problem(rule)}, {"then", {{"properties", rule.foreign}}}});
  all_of.push_back(
      {{"if", {{"required", Json::array({"sweep"})}}}, {"else", complete_schema(parts, rules)}});
  return {{"$schema", "http://json-schema.org/draft-07/schema#"},
          {"title", "experiment file of localbatch"},
          {"type", "object"},
          {"properties", std::move(properties)},
          {"additionalProperties", false},
          {"allOf", std::move(all_of)},
          {"definitions", definitions_of(top, parts)}};
}

}  // namespace localbatch
