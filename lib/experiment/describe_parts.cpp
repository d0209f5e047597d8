#include <algorithm>

#include "data/dataset.h"
#include "experiment/communication.h"
#include "experiment/experiment.h"

namespace localbatch {

namespace {

template <class Table>
void describe_table(const std::string& part, const Table& table,
                    std::vector<PartDescription>& descriptions) {
  const std::size_t dot = part.rfind('.');
  for (const auto& row : table) {
    Options options = Options::describing();
    row.make(options);
    descriptions.push_back({.part = part,
                            .name = std::string(row.name),
                            .choice = dot == std::string::npos ? "name" : part.substr(dot + 1),
                            .summary = std::string(row.summary),
                            .formula = std::string(row.formula),
                            .source = std::string(row.source),
                            .keys = options.declarations()});
  }
}

std::vector<PartDescription> describe_implementations() {
  std::vector<PartDescription> implementations;
  describe_table("problem", task_table(), implementations);
  describe_table("dataset", dataset_table(), implementations);
  describe_table("dataset.partition", partition_table(), implementations);
  describe_table("model", model_table(), implementations);
  describe_table("inner_optimizer", inner_optimizer_table(), implementations);
  describe_table("outer_optimizer", outer_optimizer_table(), implementations);
  describe_table("learning_rate", learning_rate_table(), implementations);
  describe_table("learning_rate_coupling", learning_rate_coupling_table(), implementations);
  describe_table("sync_interval", sync_interval_table(), implementations);
  describe_table("communication.parameters", parameter_format_table(), implementations);
  describe_table("batch_size_controller", batch_size_controller_table(), implementations);
  return implementations;
}

PartDescription shared_description(const std::string& part, const std::string& summary,
                                   std::vector<Declaration> keys) {
  return {.part = part,
          .name = "",
          .choice = "",
          .summary = summary,
          .formula = "",
          .source = "",
          .keys = std::move(keys)};
}

/// Keys that every implementation of the part shares stand beside those of the one that was read by
/// default; the latter are removed here.
std::vector<Declaration> shared_keys(const Declaration& part,
                                     const std::vector<PartDescription>& implementations) {
  std::vector<Declaration> keys = part.parts;
  for (const PartDescription& implementation : implementations) {
    if (implementation.part != part.key) continue;
    for (const Declaration& own : implementation.keys)
      std::erase_if(keys, [&](const Declaration& key) { return key.key == own.key; });
  }
  return keys;
}

}  // namespace

std::vector<PartDescription> describe_parts() {
  const std::vector<PartDescription> implementations = describe_implementations();
  const auto is_of = [](const std::string& part) {
    return [&part](const PartDescription& implementation) { return implementation.part == part; };
  };
  const std::vector<Declaration> file = read_experiment(Options::describing()).resolved;
  std::vector<Declaration> top;
  std::ranges::copy_if(file, std::back_inserter(top),
                       [](const Declaration& key) { return key.type != KeyType::kPart; });

  std::vector<PartDescription> descriptions{
      shared_description("", "keys of the file itself", std::move(top))};
  for (const Declaration& part : file) {
    if (part.type != KeyType::kPart) continue;
    descriptions.push_back(
        shared_description(part.key, part.meaning, shared_keys(part, implementations)));
    descriptions.back().may_be_absent = part.may_be_absent;
    std::ranges::copy_if(implementations, std::back_inserter(descriptions), is_of(part.key));
    for (const Declaration& key : part.parts) {
      const std::string choice = part.key + "." + key.key;
      if (std::ranges::none_of(implementations, is_of(choice))) continue;
      descriptions.push_back(shared_description(choice, key.meaning, {}));
      std::ranges::copy_if(implementations, std::back_inserter(descriptions), is_of(choice));
    }
  }
  return descriptions;
}

}  // namespace localbatch
