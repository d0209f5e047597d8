#include <algorithm>

#include "experiment/experiment.h"

namespace localbatch {

namespace {

template <class Part>
void describe_table(const std::string& key, std::span<const PartRow<Part>> table,
                    std::vector<PartDescription>& descriptions) {
  for (const PartRow<Part>& row : table) {
    Options options = Options::describing();
    row.make(options);
    descriptions.push_back(
        {key, std::string(row.name), std::string(row.summary), options.declarations()});
  }
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
  std::vector<PartDescription> implementations;
  describe_table("dataset", dataset_table(), implementations);
  describe_table("model", model_table(), implementations);
  describe_table("inner_optimizer", inner_optimizer_table(), implementations);
  describe_table("outer_optimizer", outer_optimizer_table(), implementations);
  describe_table("learning_rate", learning_rate_table(), implementations);
  describe_table("learning_rate_coupling", learning_rate_coupling_table(), implementations);
  describe_table("sync_interval", sync_interval_table(), implementations);
  describe_table("batch_size_controller", batch_size_controller_table(), implementations);

  const std::vector<Declaration> file = read_experiment(Options::describing()).resolved;
  PartDescription top{.part = "", .name = "", .summary = "keys of the file itself", .keys = {}};
  std::ranges::copy_if(file, std::back_inserter(top.keys),
                       [](const Declaration& key) { return key.type != "part"; });
  std::vector<PartDescription> descriptions{top};
  for (const Declaration& part : file) {
    if (part.type != "part") continue;
    descriptions.push_back({part.key, "", part.meaning, shared_keys(part, implementations)});
    for (const PartDescription& implementation : implementations)
      if (implementation.part == part.key) descriptions.push_back(implementation);
  }
  return descriptions;
}

}  // namespace localbatch
