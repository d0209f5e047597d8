#include "experiment/experiment_file.h"

#include <fmt/core.h>

#include "core/error.h"
#include "core/files.h"

namespace localbatch {

namespace {

std::string mapping_yaml(const std::vector<Declaration>& declarations, std::size_t indent);

/// "- " and a mapping, whose lines stand two further to the right.
std::string item_yaml(const Declaration& item, std::size_t indent) {
  const std::string mapping = mapping_yaml(item.parts, indent + 2);
  if (mapping.empty()) return fmt::format("{:{}}- {{}}\n", "", indent);
  return fmt::format("{:{}}- {}", "", indent, mapping.substr(indent + 2));
}

/// Lines of "key: value", empty when there is no key to show.
std::string mapping_yaml(const std::vector<Declaration>& declarations, std::size_t indent) {
  std::string text;
  for (const Declaration& declared : declarations) {
    // An optional text that is empty stands for something that is not used.
    if (declared.type == KeyType::kText && !declared.required && declared.value == "''") continue;
    std::string value = declared.value, lines;
    if (declared.type == KeyType::kPart) {
      lines = mapping_yaml(declared.parts, indent + 2);
      value = lines.empty() ? "{}" : "";
    } else if (declared.type == KeyType::kParts) {
      for (const Declaration& item : declared.parts) lines += item_yaml(item, indent + 2);
    }
    text += fmt::format("{:{}}{}:{}{}\n{}", "", indent, declared.key, value.empty() ? "" : " ",
                        value, lines);
  }
  return text;
}

}  // namespace

Node read_experiment_file(const std::filesystem::path& path,
                          const std::vector<std::string>& settings) {
  Node experiment = parse_yaml(read_text(path), path.string());
  for (const std::string& setting : settings) apply_setting(experiment, setting);
  return experiment;
}

std::string resolved_yaml(const std::vector<Declaration>& declarations) {
  return mapping_yaml(declarations, 0);
}

}  // namespace localbatch
