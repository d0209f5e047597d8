#include "descriptions.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "experiment/part_schemas.h"
#include "run/branches.h"
#include "run/columns.h"

namespace localbatch {

namespace {

template <class Columns>
CurveFile curve_file(std::string_view name, const Columns& columns) {
  CurveFile file{.name = name, .columns = {}};
  for (const auto& column : columns)
    file.columns.push_back({column.name, column.unit, column.meaning});
  return file;
}

std::vector<CurveFile> curve_files() {
  return {curve_file("rounds.csv", round_columns()),
          curve_file("evaluations.csv", evaluation_columns()),
          curve_file("controllers.csv", controller_columns()),
          curve_file("audits.csv", audit_columns()),
          curve_file("timing.csv", timing_columns()),
          curve_file("branches.csv", branch_columns()),
          curve_file("critical_batch_sizes.csv", critical_batch_size_columns())};
}

bool is_part(const std::vector<PartDescription>& parts, const std::string& word) {
  return !word.empty() && std::ranges::find(parts, word, &PartDescription::part) != parts.end();
}

/// A part with all its implementations, or with the one that has this name.
std::vector<PartDescription> find_part(const std::vector<PartDescription>& parts,
                                       const std::string& part, const std::string& name) {
  std::vector<std::string> names;
  for (const PartDescription& description : parts)
    if (description.part == part && !description.name.empty()) names.push_back(description.name);
  if (!name.empty() && std::ranges::find(names, name) == names.end())
    fail_input("describe: {} has no '{}', allowed is {}", part, name, allowed_names(name, names));
  std::vector<PartDescription> found;
  std::ranges::copy_if(parts, std::back_inserter(found), [&](const PartDescription& description) {
    return description.part == part &&
           (name.empty() || description.name.empty() || description.name == name);
  });
  return found;
}

/// Implementations ("norm_test"), keys ("eta", "batch_size.max") and columns ("drift") of a name.
class NameSearch {
 public:
  explicit NameSearch(const std::string& word) : word_(word) { found_.by_name = true; }

  void look_at(const PartDescription& description) {
    if (description.name.empty())
      seen_.push_back(description.part);
    else if (is_meant(description.name))
      found_.parts.push_back(description);
    for (const Declaration& key : description.keys) {
      if (key.key == "name") continue;
      if (is_meant(key.key) || is_meant(fmt::format("{}.{}", description.part, key.key)))
        found_.keys.push_back({description.part, description.name, key});
    }
  }

  void look_at(const CurveFile& file) {
    CurveFile some{.name = file.name, .columns = {}};
    for (const CurveColumn& column : file.columns)
      if (is_meant(column.name)) some.columns.push_back(column);
    if (!some.columns.empty()) found_.curves.push_back(std::move(some));
  }

  Findings result() && {
    if (found_.parts.empty() && found_.keys.empty() && found_.curves.empty())
      fail_input("describe: '{}' is no part, name, key or column, and no FILE.yaml{}", word_,
                 did_you_mean(word_, seen_));
    return std::move(found_);
  }

 private:
  bool is_meant(std::string_view name) {
    seen_.emplace_back(name);
    return name == word_;
  }

  const std::string& word_;
  Findings found_;
  std::vector<std::string> seen_;
};

Json json_of(const Declaration& key) {
  return {{"key", key.key}, {"required", key.required}, {"schema", schema_of(key)}};
}

Json json_of(const PartDescription& description) {
  Json keys = Json::array();
  for (const Declaration& key : description.keys)
    if (key.key != "name") keys.push_back(json_of(key));
  return {{"part", description.part},       {"name", description.name},
          {"choice", description.choice},   {"summary", description.summary},
          {"formula", description.formula}, {"source", description.source},
          {"keys", std::move(keys)}};
}

Json json_of(const CurveFile& file) {
  Json columns = Json::array();
  for (const CurveColumn& column : file.columns)
    columns.push_back({{"name", column.name}, {"unit", column.unit}, {"meaning", column.meaning}});
  return {{"file", file.name}, {"columns", std::move(columns)}};
}

}  // namespace

Findings find_descriptions(const std::vector<std::string>& words) {
  const std::vector<CurveFile> curves = curve_files();
  std::vector<PartDescription> parts = describe_parts();
  if (words.empty()) return {.parts = std::move(parts), .keys = {}, .curves = curves};
  const std::string& word = words.front();
  if (word == "all") return {.parts = std::move(parts), .keys = {}, .curves = {}};
  if (const auto file = std::ranges::find(curves, word, &CurveFile::name); file != curves.end())
    return {.parts = {}, .keys = {}, .curves = {*file}};
  if (is_part(parts, word))
    return {.parts = find_part(parts, word, words.size() > 1 ? words[1] : ""),
            .keys = {},
            .curves = {}};
  if (words.size() > 1) fail_input("describe: '{}' is no part, so it has no '{}'", word, words[1]);
  NameSearch search(word);
  for (const PartDescription& part : parts) search.look_at(part);
  for (const CurveFile& file : curves) search.look_at(file);
  return std::move(search).result();
}

Json json_of(const Findings& found) {
  Json document{{"parts", Json::array()}, {"keys", Json::array()}, {"curves", Json::array()}};
  for (const PartDescription& part : found.parts) document["parts"].push_back(json_of(part));
  for (const FoundKey& key : found.keys) {
    Json place{{"part", key.part}, {"name", key.name}};
    place.update(json_of(key.key));
    document["keys"].push_back(std::move(place));
  }
  for (const CurveFile& file : found.curves) document["curves"].push_back(json_of(file));
  return document;
}

}  // namespace localbatch
