#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/text.h"
#include "descriptions.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "experiment/schema.h"
#include "json_documents.h"
#include "nn/execution.h"
#include "nn/kernel_choices.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"

namespace localbatch {

namespace {

void print_network(const NetworkFacts& network) {
  const Model& model = *network.model;
  const ExecutionOptions& execution = network.execution;
  print(
      "{} parameters, {:.1f} million multiply-adds a sample forward\n"
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

Json json_of(const NetworkFacts& network) {
  const Model& model = *network.model;
  const ExecutionOptions& execution = network.execution;
  Json convolutions = Json::array();
  for (const LayerKernel& kernel : model.kernels(execution))
    convolutions.push_back({{"layer", kernel.layer},
                            {"convolution", to_string(kernel.shape)},
                            {"images_per_slice", kernel.choice.images_per_slice},
                            {"algorithm", algorithm_name(kernel.choice)}});
  return {{"parameters", model.parameter_count()},
          {"forward_multiply_adds_of_a_sample", model.multiply_adds()},
          {"precision", precision_name(execution.precision)},
          {"convolution", name_of(execution.convolution)},
          {"micro_batch", execution.max_samples},
          {"onednn", onednn_version()},
          {"instruction_set", onednn_instruction_set()},
          {"convolutions", std::move(convolutions)}};
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
             : key.may_be_absent
                 ? ", may be absent"
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

void print_columns(const CurveFile& file) {
  print("{}:\n", file.name);
  for (const CurveColumn& column : file.columns)
    print("    {:<24} {}{}\n", column.name, column.meaning,
          column.unit.empty() ? "" : fmt::format(" [{}]", column.unit));
}

void print_findings(const Findings& found) {
  for (const PartDescription& part : found.parts) {
    if (found.by_name) print("{}:\n", part.part);
    print_part(part);
  }
  for (const FoundKey& key : found.keys) {
    print("{}{}:\n", key.part.empty() ? "(top level)" : key.part,
          key.name.empty() ? "" : ", " + key.name);
    print_key(key.key);
  }
  for (const CurveFile& file : found.curves) print_columns(file);
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
      "controllers.csv, audits.csv, timing.csv, branches.csv, critical_batch_sizes.csv) the\n"
      "columns of a file, and 'localbatch describe FILE.yaml' the network of an experiment with "
      "the algorithm of each convolution.\n");
}

bool is_experiment_file(const std::string& word) {
  return word.ends_with(".yaml") || word.ends_with(".yml");
}

/// Whether the first word stands alone.
bool is_whole(const std::vector<std::string>& words) {
  return !words.empty() && (words.front() == "all" || words.front().ends_with(".csv"));
}

constexpr const char* kUsage =
    "usage: localbatch describe [PART [NAME] | WORD | all | rounds.csv | evaluations.csv | "
    "controllers.csv | audits.csv | timing.csv | branches.csv | critical_batch_sizes.csv]\n"
    "       localbatch describe FILE.yaml [--resolved] [--set KEY=VALUE]... [--cell N]\n"
    "       localbatch describe ... --json\n"
    "       localbatch describe --json-schema\n\n"
    "WORD: a name of a part such as norm_test, a key such as eta, a column such as drift.\n"
    "FILE.yaml: the network that it trains and the algorithm of each convolution, in a\n"
    "program built as this one. The data set is looked at, as its images and classes make the\n"
    "first and the last layer. With --resolved every key with the value that a run here would\n"
    "use, as the run writes it to its experiment.yaml; data are not looked at.\n";

/// The command line of `localbatch describe`.
struct DescribeOptions {
  std::vector<std::string> words, settings;
  std::optional<int> cell;
  bool resolved = false, json = false, json_schema = false;

  bool about_experiment() const { return !words.empty() && is_experiment_file(words.front()); }
};

void declare_options(CommandLine& line, DescribeOptions& options) {
  line.positional("word", options.words);
  line.flag("resolved", options.resolved,
            "print the experiment file that a run of FILE.yaml would record");
  line.set_option(options.settings);
  line.option("cell", "N", options.cell, "of a file with a sweep; default: 1");
  line.flag("json", options.json,
            "print one JSON document: parts, keys with JSON schemas of their values, and columns; "
            "without words all of them");
  line.flag("json-schema", options.json_schema,
            "print the JSON schema (draft 7) of experiment files, for editors");
}

/// The options of `describe`; nothing when only help was asked for.
std::optional<DescribeOptions> parse_describe(std::span<const std::string> arguments) {
  DescribeOptions options;
  CommandLine line("describe");
  declare_options(line, options);
  if (!line.read(arguments, kUsage)) return {};
  const std::size_t most = options.about_experiment() || is_whole(options.words) ? 1 : 2;
  if (options.words.size() > most)
    fail_input("describe: '{}' is one word too many; see 'localbatch describe --help'",
               options.words[most]);
  if (options.json_schema && arguments.size() > 1)
    fail_input("describe: --json-schema: found with other words, expected none");
  if (options.json && options.resolved)
    fail_input("describe: --json: found with --resolved, which is YAML, expected one of these");
  if (options.about_experiment()) return options;
  for (const auto& [name, given] :
       {std::pair("set", !options.settings.empty()), std::pair("cell", options.cell.has_value()),
        std::pair("resolved", options.resolved)})
    if (given) fail_input("describe: --{}: found without a FILE.yaml, expected both", name);
  return options;
}

/// The network of an experiment, and which algorithm computes each of its convolutions on this
/// machine.
void describe_experiment(const DescribeOptions& options) {
  const RunRequest request{.file = options.words.front(),
                           .settings = options.settings,
                           .cell = options.cell.value_or(1),
                           .output = {},
                           .cpu_has_bfloat16 = true};  // nothing is computed
  const RequestedRun run = read_request(request);
  std::optional<NetworkFacts> network;
  if (run.experiment.task->has_network())
    network = load_task(run.experiment, TaskUse::kOutline)->facts().network;
  if (options.json) return print_json({{"network", network ? json_of(*network) : Json()}});
  if (const std::string name = cell_name(run.coordinates); !name.empty())
    print("cell {} ({}): ", *request.cell, name);
  if (network)
    print_network(*network);
  else
    print("a problem, without a network\n");
}

/// The text that a run of the experiment would write to its experiment.yaml.
void print_resolved(const DescribeOptions& options) {
  const RequestedRun run = read_request({.file = options.words.front(),
                                         .settings = options.settings,
                                         .cell = options.cell.value_or(1),
                                         .output = {}});
  print("{}", resolved_yaml(run.experiment.resolved));
}

/// `describe [PART [NAME] | WORD | all | FILE.csv]`.
void describe_words(const DescribeOptions& options) {
  const Findings found = find_descriptions(options.words);
  if (options.json)
    print_json(json_of(found));
  else if (options.words.empty())
    print_overview(found.parts);
  else
    print_findings(found);
}

}  // namespace

int describe_command(std::span<const std::string> arguments) {
  const std::optional<DescribeOptions> options = parse_describe(arguments);
  if (!options) return kSuccess;
  if (options->json_schema)
    print_json(experiment_schema());
  else if (options->about_experiment())
    options->resolved ? print_resolved(*options) : describe_experiment(*options);
  else
    describe_words(*options);
  return kSuccess;
}

}  // namespace localbatch
