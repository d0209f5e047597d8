#include "experiment/part_schemas.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace {

Json with_range(Json schema, const Declaration& key) {
  if (!key.min.empty()) schema["minimum"] = Json::parse(key.min);
  if (!key.max.empty()) schema["maximum"] = Json::parse(key.max);
  return schema;
}

/// A choice as a reader of YAML takes it: 20 is a number, also where it is a name.
Json choice_value(const std::string& name) {
  const Json value = Json::parse(name, nullptr, /*allow_exceptions=*/false);
  return value.is_number() || value.is_boolean() ? value : Json(name);
}

Json choices_of(const Declaration& key) {
  Json choices = Json::array();
  for (const std::string& name : key.choices) choices.push_back(choice_value(name));
  for (const std::string& name : key.choices)  // as a run records a name like that, in quotes
    if (!choice_value(name).is_string()) choices.push_back(name);
  return choices;
}

Json kind_of(const Declaration& key) {
  switch (key.type) {
    case KeyType::kNumber:
      return with_range({{"type", "number"}}, key);
    case KeyType::kInteger:
      return with_range({{"type", "integer"}}, key);
    case KeyType::kIntegers:
      return {{"type", "array"}, {"items", with_range({{"type", "integer"}}, key)}};
    case KeyType::kFlag:
      return {{"type", "boolean"}};
    case KeyType::kText:  // a folder may be called 2024
      return {{"type", {"string", "number", "boolean"}}};
    case KeyType::kChoice:
      return {{"enum", choices_of(key)}};
    case KeyType::kPart:
      return {{"type", "object"}};
    case KeyType::kParts:
      return {{"type", "array"}, {"items", {{"type", "object"}}}};
  }
  internal_error("a type of keys has a kind in JSON");
}

}  // namespace

Json schema_of(const Declaration& key) {
  Json schema = kind_of(key);
  if (!key.required && !key.may_be_absent && key.type != KeyType::kPart) {
    schema["default"] = key.type == KeyType::kText     ? Json(key.fallback)
                        : key.type == KeyType::kChoice ? choice_value(key.fallback)
                                                       : Json::parse(key.fallback);
  }
  if (!key.meaning.empty()) schema["description"] = key.meaning;
  return schema;
}

Json chosen(const std::string& key, Json allowed, bool also_absent) {
  Json condition{{"properties", {{key, std::move(allowed)}}}};
  if (!also_absent) condition["required"] = Json::array({key});
  return condition;
}

Json required_names(const std::vector<Declaration>& keys) {
  Json names = Json::array();
  for (const Declaration& key : keys)
    if (key.required) names.push_back(key.key);
  return names;
}

const Declaration* find_key(const std::vector<Declaration>& keys, const std::string& name) {
  const auto found = std::ranges::find(keys, name, &Declaration::key);
  return found == keys.end() ? nullptr : &*found;
}

const Declaration* Part::name() const { return find_key(shared.keys, "name"); }

bool Part::is_default(const PartDescription& implementation) const {
  return !name()->required && name()->fallback == implementation.name;
}

std::vector<Part> parts_of(const std::vector<PartDescription>& descriptions) {
  std::vector<Part> parts;
  for (const PartDescription& description : descriptions) {
    const bool is_nested = description.part.find('.') != std::string::npos;
    if (is_nested)
      parts.back().nested.push_back(description);
    else if (description.name.empty())
      parts.push_back({.shared = description, .implementations = {}, .nested = {}});
    else
      parts.back().implementations.push_back(description);
  }
  std::erase_if(parts, [](const Part& part) { return part.shared.part.empty(); });
  return parts;
}

void add_keys(const std::vector<Declaration>& keys, Json& properties) {
  for (const Declaration& key : keys) properties[key.key] = schema_of(key);
}

namespace {

/// Those that nested choices may have.
void add_nested_keys(const Part& part, Json& properties) {
  for (const PartDescription& nested : part.nested)
    for (const Declaration& key : nested.keys) properties[key.key] = true;
}

/// The keys of an implementation, and those of nested choices.
Json implementation_schema(const Part& part, const PartDescription& implementation) {
  Json properties = Json::object();
  add_keys(part.shared.keys, properties);
  add_keys(implementation.keys, properties);
  add_nested_keys(part, properties);
  return {{"description", implementation.summary},
          {"properties", std::move(properties)},
          {"additionalProperties", false}};
}

/// If a choice within a part is this one, the keys of the others are out of place.
Json nested_rule(const Part& part, const PartDescription& nested) {
  Json properties = Json::object();
  for (const PartDescription& other : part.nested)
    for (const Declaration& key : other.keys) properties[key.key] = false;
  add_keys(nested.keys, properties);
  const Declaration* const choice =
      find_key(part.implementations.empty() ? part.shared.keys : part.implementations.front().keys,
               nested.choice);
  const bool is_default = choice != nullptr && choice->fallback == nested.name;
  return {{"if", chosen(nested.choice, {{"const", nested.name}}, is_default)},
          {"then", {{"properties", std::move(properties)}}}};
}

}  // namespace

Json part_schema(const Part& part) {
  Json schema{{"type", "object"}, {"description", part.shared.summary}};
  Json properties = Json::object();
  add_keys(part.shared.keys, properties);
  if (part.implementations.empty()) add_nested_keys(part, properties);
  schema["properties"] = std::move(properties);
  if (part.implementations.empty()) schema["additionalProperties"] = false;
  Json rules = Json::array();
  for (const PartDescription& one : part.implementations)
    rules.push_back({{"if", chosen("name", {{"const", one.name}}, part.is_default(one))},
                     {"then", implementation_schema(part, one)}});
  for (const PartDescription& nested : part.nested)
    if (!nested.name.empty()) rules.push_back(nested_rule(part, nested));
  if (!rules.empty()) schema["allOf"] = std::move(rules);
  return schema;
}

Json required_schema(const Part& part) {
  Json rules = Json::array();
  const auto add = [&](const PartDescription& one, bool is_default) {
    if (Json names = required_names(one.keys); !names.empty())
      rules.push_back({{"if", chosen(one.choice, {{"const", one.name}}, is_default)},
                       {"then", {{"required", std::move(names)}}}});
  };
  for (const PartDescription& one : part.implementations) add(one, part.is_default(one));
  for (const PartDescription& one : part.nested) add(one, /*is_default=*/false);
  Json names = required_names(part.shared.keys);
  if (rules.empty() && names.empty()) return {};
  Json schema = Json::object();
  if (!names.empty()) schema["required"] = std::move(names);
  if (!rules.empty()) schema["allOf"] = std::move(rules);
  return schema;
}

bool is_required(const Part& part) {
  if (part.shared.may_be_absent) return false;
  const auto lacks = [](const PartDescription& one) { return !required_names(one.keys).empty(); };
  return lacks(part.shared) || std::ranges::any_of(part.implementations, [&](const auto& one) {
           return part.is_default(one) && lacks(one);
         });
}

Json shadow_controller_schema(const Part& controllers) {
  Declaration name = *controllers.name();
  name.required = true;
  Part part = controllers;
  part.shared.keys = {name};
  Json schema = part_schema(part);
  schema["allOf"].push_back(required_schema(part));
  return schema;
}

}  // namespace localbatch
