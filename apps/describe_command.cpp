#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/text.h"
#include "experiment/experiment.h"
#include "nn/execution.h"
#include "nn/kernel_choices.h"
#include "run/columns.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"

namespace localbatch {

namespace {

void print_network(const NetworkFacts& network) {
  const Model& model = *network.model;
  const ExecutionOptions& execution = network.execution;
  print(
      "{} parameters, {:.1f} million multiply-adds an image forward\n"
      "{}, convolution: {}, micro-batch {}, oneDNN {} ({})\n\n",
      model.parameter_count(), 1e-6 * static_cast<double>(model.multiply_adds()),
      precision_name(execution.precision), name_of(execution.convolution), execution.max_samples,
      onednn_version(), onednn_instruction_set());
  std::vector<TextRow> rows{{"layer", "convolution", "images per slice", "algorithm"}};
  for (const LayerKernel& kernel : model.kernels(execution))
    rows.push_back({kernel.layer, to_string(kernel.shape),
                    fmt::format("{}", kernel.choice.images_per_slice),
                    std::string(algorithm_name(kernel.choice))});
  if (rows.size() > 1)
    print("{}", left_aligned(rows));
  else
    print("no convolutions\n");
}

constexpr std::size_t kWidth = 100;  ///< columns that no line exceeds unless a word does

/// `first`, then `text` in lines that begin where `first` ends.
void print_wrapped(std::string_view first, std::string_view text) {
  std::string line(first);
  bool has_words = false;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (has_words && line.size() + 1 + word.size() > kWidth) {
      print("{}\n", line);
      line.assign(first.size(), ' ');
      has_words = false;
    }
    line += fmt::format("{}{}", has_words ? " " : "", word);
    has_words = true;
  }
  print("{}\n", line);
}

void print_key(const Declaration& key) {
  std::string facts(name_of(key.type));
  if (!key.allowed.empty()) facts += ", " + key.allowed;
  if (key.type != KeyType::kPart)
    facts += key.required ? ", required"
                          : fmt::format(", default {}", key.fallback.empty() ? "''" : key.fallback);
  print_wrapped(fmt::format("    {:<19} ", key.key), key.meaning);
  print_wrapped(fmt::format("    {:<19} ", ""), fmt::format("({})", facts));
}

void print_keys(const PartDescription& description) {
  for (const Declaration& key : description.keys)
    if (key.key != "name") print_key(key);
}

void print_part(const PartDescription& description) {
  const std::string title = description.part.empty() ? "(top level)" : description.part;
  if (description.name.empty())
    print_wrapped(title + ": ", description.summary);
  else
    print_wrapped(fmt::format("  {}: {}: ", description.choice, description.name),
                  description.summary);
  if (!description.formula.empty()) print_wrapped("    formula: ", description.formula);
  if (!description.source.empty()) print_wrapped("    source:  ", description.source);
  print_keys(description);
}

template <class Row>
void print_column(const CsvColumn<Row>& column) {
  print("    {:<24} {}{}\n", column.name, column.meaning,
        column.unit.empty() ? "" : fmt::format(" [{}]", column.unit));
}

/// Calls `visit` with the name of each file of curves and its columns.
template <class Visit>
void for_each_curve_file(const Visit& visit) {
  visit("rounds.csv", round_columns());
  visit("evaluations.csv", evaluation_columns());
  visit("controllers.csv", controller_columns());
  visit("audits.csv", audit_columns());
  visit("timing.csv", timing_columns());
}

bool print_curve_file(std::string_view wanted) {
  bool found = false;
  for_each_curve_file([&](std::string_view file, const auto& columns) {
    if (file != wanted) return;
    found = true;
    print("{}:\n", file);
    for (const auto& column : columns) print_column(column);
  });
  return found;
}

void print_overview(const std::vector<PartDescription>& parts) {
  print("parts of an experiment file:\n");
  for (const PartDescription& part : parts) {
    if (!part.name.empty() || part.part.empty()) continue;
    std::vector<std::string> names;
    for (const PartDescription& other : parts)
      if (other.part == part.part && !other.name.empty()) names.push_back(other.name);
    print_wrapped(fmt::format("  {:<23} ", part.part), part.summary);
    if (!names.empty())
      print_wrapped(fmt::format("  {:<23} ", ""), fmt::format("({})", join(names, " | ")));
  }
  print("\n");
  print_part(parts.front());
  print(
      "\n'localbatch describe PART [NAME]' shows the formula, the source and the keys of a part,\n"
      "'localbatch describe all' of all parts, 'localbatch describe rounds.csv' (evaluations.csv,\n"
      "controllers.csv, audits.csv, timing.csv) the columns of a file, and 'localbatch describe\n"
      "FILE.yaml' the network of an experiment with the algorithm of each convolution.\n");
}

bool is_experiment_file(const std::string& word) {
  return word.ends_with(".yaml") || word.ends_with(".yml");
}

constexpr const char* kUsage =
    "usage: localbatch describe [PART [NAME] | WORD | all | rounds.csv | evaluations.csv | "
    "controllers.csv | audits.csv | timing.csv]\n"
    "       localbatch describe FILE.yaml [--set KEY=VALUE]... [--cell N]\n\n"
    "WORD: a name of a part such as norm_test, a key such as eta, a column such as drift.\n"
    "FILE.yaml: the network that it trains and the algorithm of each convolution, in a\n"
    "program built as this one. The data set is looked at, as its images and classes make the\n"
    "first and the last layer. --set changes a key, --cell says which cell of a sweep is meant;\n"
    "default: 1.\n";

/// `describe FILE.yaml [options]`: the network of an experiment, and which algorithm computes each
/// of its convolutions on this machine.
int describe_experiment(std::span<const std::string> arguments) {
  std::string file;
  RunRequest request;
  request.cpu_has_bfloat16 = true;  // nothing is computed
  int cell = 1;
  CommandLine line("describe");
  line.positional("file", file);
  line.set_option(request.settings);
  line.default_option("cell", "N", cell, "of a file with a sweep");
  if (!line.read(arguments, kUsage)) return kSuccess;
  request.file = file;
  request.cell = cell;
  const RequestedRun run = read_request(request);
  if (const std::string name = cell_name(run.coordinates); !name.empty())
    print("cell {} ({}): ", cell, name);
  if (run.experiment.task->has_network())
    print_network(load_task(run.experiment, TaskUse::kOutline)->facts().network.value());
  else
    print("a problem, without a network\n");
  return kSuccess;
}

/// `describe PART [NAME]`.
void describe_part(const std::vector<PartDescription>& parts, const std::string& part,
                   const std::string& name) {
  std::vector<std::string> names;
  for (const PartDescription& description : parts)
    if (description.part == part && !description.name.empty()) names.push_back(description.name);
  if (!name.empty() && std::ranges::find(names, name) == names.end())
    fail_input("describe: {} has no '{}', allowed is {}", part, name, allowed_names(name, names));
  for (const PartDescription& description : parts)
    if (description.part == part &&
        (name.empty() || description.name.empty() || description.name == name))
      print_part(description);
}

/// Prints what `word` names: choices of parts ("norm_test"), keys ("eta", "batch_size.max") and
/// columns of curves ("drift"). Returns what it has seen when that is none of them.
std::vector<std::string> describe_word(const std::vector<PartDescription>& parts,
                                       std::string_view word) {
  std::vector<std::string> seen;
  bool found = false;
  const auto is_meant = [&](std::string_view name) {
    seen.emplace_back(name);
    found = found || name == word;
    return name == word;
  };
  for (const PartDescription& description : parts) {
    if (description.name.empty()) {
      seen.push_back(description.part);
    } else if (is_meant(description.name)) {
      print("{}:\n", description.part);
      print_part(description);
    }
    for (const Declaration& key : description.keys) {
      if (key.key == "name") continue;
      const bool meant = is_meant(key.key);
      if (!meant && !is_meant(fmt::format("{}.{}", description.part, key.key))) continue;
      const std::string choice =
          description.name.empty() ? "" : fmt::format(", {}", description.name);
      print("{}{}:\n", description.part.empty() ? "(top level)" : description.part, choice);
      print_key(key);
    }
  }
  for_each_curve_file([&](std::string_view file, const auto& columns) {
    for (const auto& column : columns) {
      if (!is_meant(column.name)) continue;
      print("{}:\n", file);
      print_column(column);
    }
  });
  return found ? std::vector<std::string>{} : seen;
}

bool is_part(const std::vector<PartDescription>& parts, const std::string& word) {
  return !word.empty() && std::ranges::find(parts, word, &PartDescription::part) != parts.end();
}

}  // namespace

int describe_command(std::span<const std::string> arguments) {
  if (arguments.empty()) {
    print_overview(describe_parts());
    return kSuccess;
  }
  const std::string& part = arguments[0];
  if (part == "--help" || part == "-h" || is_experiment_file(part))
    return describe_experiment(arguments);
  const bool is_whole = part == "all" || part.ends_with(".csv");
  if (arguments.size() > (is_whole ? 1U : 2U))
    fail_input("describe: '{}' is one word too many; see 'localbatch describe --help'",
               arguments[is_whole ? 1 : 2]);
  if (print_curve_file(part)) return kSuccess;
  const std::vector<PartDescription> parts = describe_parts();
  if (part == "all") {
    for (const PartDescription& description : parts) print_part(description);
  } else if (is_part(parts, part)) {
    describe_part(parts, part, arguments.size() > 1 ? arguments[1] : "");
  } else if (arguments.size() > 1) {
    fail_input("describe: '{}' is no part, so it has no '{}'", part, arguments[1]);
  } else if (const std::vector<std::string> seen = describe_word(parts, part); !seen.empty()) {
    fail_input("describe: '{}' is no part, name, key or column, and no FILE.yaml{}", part,
               did_you_mean(part, seen));
  }
  return kSuccess;
}

}  // namespace localbatch
