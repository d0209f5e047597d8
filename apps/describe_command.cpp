#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "commands.h"
#include "core/error.h"
#include "experiment/curves.h"
#include "experiment/experiment.h"

namespace localbatch {

namespace {

void print_key(const Declaration& key) {
  std::string facts = key.type;
  if (!key.allowed.empty()) facts += ", " + key.allowed;
  if (key.type != "part")
    facts += key.required ? ", required"
                          : fmt::format(", default {}", key.fallback.empty() ? "''" : key.fallback);
  fmt::print("    {:<20}{}\n", key.key, key.meaning);
  fmt::print("    {:<20}({})\n", "", facts);
}

void print_keys(const PartDescription& description) {
  for (const Declaration& key : description.keys)
    if (key.key != "name") print_key(key);
}

void print_part(const PartDescription& description) {
  const std::string title = description.part.empty() ? "(top level)" : description.part;
  if (description.name.empty())
    fmt::print("{}: {}\n", title, description.summary);
  else
    fmt::print("  name: {}: {}\n", description.name, description.summary);
  print_keys(description);
}

template <class Row>
void print_columns(std::string_view file, std::span<const CsvColumn<Row>> columns) {
  fmt::print("{}:\n", file);
  for (const CsvColumn<Row>& column : columns)
    fmt::print("    {:<25}{}{}\n", column.name, column.meaning,
               column.unit.empty() ? "" : fmt::format(" [{}]", column.unit));
}

bool print_curve_file(const std::string& file) {
  if (file == "rounds.csv")
    print_columns(file, round_columns());
  else if (file == "evaluations.csv")
    print_columns(file, evaluation_columns());
  else if (file == "timing.csv")
    print_columns(file, timing_columns());
  else
    return false;
  return true;
}

void print_overview(const std::vector<PartDescription>& parts) {
  fmt::print("parts of an experiment file:\n");
  for (const PartDescription& part : parts) {
    if (!part.name.empty() || part.part.empty()) continue;
    std::vector<std::string> names;
    for (const PartDescription& other : parts)
      if (other.part == part.part && !other.name.empty()) names.push_back(other.name);
    fmt::print("  {:<24}{}\n", part.part, part.summary);
    if (!names.empty()) fmt::print("  {:<24}({})\n", "", fmt::join(names, " | "));
  }
  fmt::print("\n");
  print_part(parts.front());
  fmt::print(
      "\n'localbatch describe PART [NAME]' shows the keys of a part, 'localbatch describe all' of "
      "all "
      "parts,\n'localbatch describe rounds.csv' (evaluations.csv, timing.csv) the columns of a "
      "file.\n");
}

}  // namespace

int describe_command(std::span<const std::string> arguments) {
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    fmt::print(
        "usage: localbatch describe [PART [NAME] | all | rounds.csv | evaluations.csv | "
        "timing.csv]\n");
    return kSuccess;
  }
  const std::vector<PartDescription> parts = describe_parts();
  if (arguments.empty()) {
    print_overview(parts);
    return kSuccess;
  }
  const std::string& part = arguments[0];
  const bool whole = part == "all" || part.ends_with(".csv");
  if (arguments.size() > (whole ? 1U : 2U))
    fail_input("describe: '{}' is one word too many; see 'localbatch describe --help'",
               arguments[whole ? 1 : 2]);
  if (part == "all") {
    for (const PartDescription& description : parts) print_part(description);
    return kSuccess;
  }
  if (print_curve_file(part)) return kSuccess;

  std::vector<std::string> known, names;
  for (const PartDescription& description : parts) {
    if (!description.part.empty() && description.name.empty()) known.push_back(description.part);
    if (description.part == part && !description.name.empty()) names.push_back(description.name);
  }
  if (std::ranges::find(known, part) == known.end())
    fail_input("describe: '{}' is no part, allowed is {}{}", part, fmt::join(known, " | "),
               did_you_mean(part, known));
  const std::string name = arguments.size() > 1 ? arguments[1] : "";
  if (!name.empty() && std::ranges::find(names, name) == names.end())
    fail_input("describe: {} has no '{}', allowed is {}{}", part, name, fmt::join(names, " | "),
               did_you_mean(name, names));
  for (const PartDescription& description : parts)
    if (description.part == part &&
        (name.empty() || description.name.empty() || description.name == name))
      print_part(description);
  return kSuccess;
}

}  // namespace localbatch
