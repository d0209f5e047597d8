#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "elsewhere.h"
#include "json_documents.h"
#include "report/curves_table.h"
#include "report/paired_differences.h"
#include "report/reference.h"
#include "report/table_formats.h"
#include "report/target.h"

namespace localbatch {

namespace {

/// The command line of `localbatch table`.
struct TableOptions {
  ResultOptions results;
  std::string format = "markdown", folder, columns, reference;
  bool json = false;
  std::string curves, curves_of;
  std::optional<std::string> target, against, networks;
  ElsewhereOptions elsewhere;
  std::optional<int> workers;
};

void declare_options(CommandLine& line, TableOptions& options) {
  options.results.declare(line);
  line.default_option("format", "NAME", options.format,
                      "of what is printed: markdown, latex or csv");
  line.option("write", "DIR", options.folder,
              "write table.md, table.tex and table.csv there in place of printing one");
  line.option("columns", "a,b,..", options.columns,
              "which ones, in which order; they are listed above");
  line.option("target", "COLUMN=VALUE", options.target,
              "add what runs have spent, in target_samples, target_rounds, target_bytes and "
              "target_seconds, when an evaluation and all later ones reach test_accuracy=0.9 (a "
              "fraction), or are not above a test_loss, test_perplexity or test_bits_per_byte");
  line.option("network", "NAME,...", options.networks,
              "with --target: add the seconds that 'plan --replay' predicts for networks such as "
              "1gbit, or 1gbit+50ms for another latency than 1e-4 s");
  options.elsewhere.declare(line);
  line.option("workers", "M", options.workers,
              "that take the rounds there, with the local batches and H of the recorded ones");
  line.option("against", "ROW", options.against,
              "add what all other schedules differ by from this one, over pairs of runs with the "
              "same H and seed: mean and 95 % interval (Student's t); also in differences.csv");
  line.flag("json", options.json,
            "print one JSON document: figures and runs of each cell, in the units above");
  line.option("reference", "CSV", options.reference,
              "figures to put beside: schedule,H,column,mean,standard_deviation,n,source,samples,"
              "workers,dataset,model in the units above; unknown ones may be empty");
  line.option("curves", "FILE", options.curves,
              "write the curves of all runs to one CSV file in place of a table, a row for each "
              "point: experiment,folder,schedule,H,seed and the columns of their files");
  line.option("curves-of", "KIND", options.curves_of,
              "the points are evaluations, or rounds; default: evaluations");
}

std::string usage() {
  std::string text =
      "usage: localbatch table FILE|FOLDER... [OPTIONS]\n\n"
      "A row for each schedule, a group of columns for each H, means and deviations over\n"
      "seeds. A FILE shows all cells of its sweep, a FOLDER the runs that are in it.\n\n"
      "columns:\n";
  for (const ResultColumn& column : result_columns())
    text += fmt::format("  {:<26}{}\n", column.name, column.meaning);
  return text;
}

void check_format(const std::string& format) {
  const std::vector<std::string> formats{"markdown", "latex", "csv"};
  if (std::ranges::find(formats, format) == formats.end())
    fail_input("table: --format: found '{}', allowed is {}", format,
               allowed_names(format, formats));
}

/// Throws an InputError for what does not go with `--curves`.
void check_curves(const TableOptions& options) {
  if (options.curves.empty()) {
    if (options.curves_of.empty()) return;
    fail_input("table: --curves-of: found without --curves, expected both");
  }
  for (const auto& [name, value] :
       {std::pair("write", options.folder), std::pair("columns", options.columns),
        std::pair("reference", options.reference),
        std::pair("target", std::string(options.target ? "target" : "")),
        std::pair("against", std::string(options.against ? "against" : "")),
        std::pair("json", std::string(options.json ? "json" : ""))})
    if (!value.empty()) fail_input("table: --curves: found with --{}, expected one of these", name);
  const std::vector<std::string> kinds{"evaluations", "rounds"};
  if (!options.curves_of.empty() && std::ranges::find(kinds, options.curves_of) == kinds.end())
    fail_input("table: --curves-of: found '{}', allowed is {}", options.curves_of,
               allowed_names(options.curves_of, kinds));
  check_can_hold_a_file("table", "curves", options.curves, options.results.sources);
}

int write_curves(const TableOptions& options) {
  const Results results = options.results.collect("table");
  const std::string csv = curves_table(
      results, options.curves_of == "rounds" ? CurvesOf::kRounds : CurvesOf::kEvaluations);
  for (const std::string& remark : results.remarks)
    print(stderr, "localbatch: warning: {}\n", remark);
  write_file_atomically(options.curves, csv);
  print("{}: {}\n", options.curves, counted(std::ranges::count(csv, '\n') - 1, "point"));
  return kSuccess;
}

/// A network of --network with the name that it was given.
using NamedInterconnect = std::pair<std::string, Interconnect>;

std::vector<NamedInterconnect> networks_of(const TableOptions& options) {
  if (options.networks && !options.target)
    fail_input("table: --network: found without --target, expected both");
  options.elsewhere.check("table", "network", options.networks.has_value());
  if (options.workers && !options.networks)
    fail_input("table: --workers: found without --network, expected both");
  if (options.workers && (*options.workers < 1 || *options.workers > kMostWorkersElsewhere))
    fail_input("table: --workers: found {}, allowed are 1 .. {}", *options.workers,
               kMostWorkersElsewhere);
  std::vector<NamedInterconnect> networks;
  if (!options.networks) return networks;
  for (const std::string& name : split(*options.networks, ',')) {
    networks.emplace_back(name, parse_interconnect("table: --network", name));
    if (std::ranges::count(networks, name, &NamedInterconnect::first) > 1)
      fail_input("table: --network: found '{}' twice", name);
  }
  return networks;
}

void add_columns(const Target& target, const Results& results, Elsewhere& elsewhere,
                 const std::vector<NamedInterconnect>& networks,
                 std::vector<ResultColumn>& columns) {
  check_is_measured(target, results);
  for (ResultColumn& column : columns_of(target)) columns.push_back(std::move(column));
  for (const NamedInterconnect& network : networks)
    columns.push_back(
        predicted_column(target, network.first, elsewhere.text(),
                         [&elsewhere, interconnect = network.second](const FinishedRun& run) {
                           return elsewhere.ends(run, interconnect);
                         }));
}

/// The texts of CSV files by their names.
using CsvFiles = std::vector<std::pair<std::string, std::string>>;

int write_tables(const std::string& name, const TablePage& page, const CsvFiles& csv_files) {
  const std::filesystem::path folder = name;
  make_folder(name);
  std::vector<std::string> names{"table.md", "table.tex"};
  write_file_atomically(folder / "table.md", to_markdown(page));
  write_file_atomically(folder / "table.tex", to_latex(page));
  for (const auto& [file, text] : csv_files) {
    write_file_atomically(folder / file, text);
    names.push_back(file);
  }
  print("{}: {}\n", name, join(names, ", "));
  return kSuccess;
}

int print_tables(const std::string& format, const TablePage& page, const CsvFiles& csv_files) {
  if (format == "csv") {
    std::vector<std::string> texts;
    for (const auto& [file, text] : csv_files) texts.push_back(text);
    print("{}", join(texts, "\n"));
  } else {
    print("{}", format == "latex" ? to_latex(page) : to_markdown(page));
  }
  return kSuccess;
}

int print_json_table(const ResultTable& table, const std::optional<Differences>& differences) {
  Json document = json_of(table);
  if (differences) document["differences"] = json_of(*differences, table);
  print_json(document);
  return kSuccess;
}

int make_tables(const TableOptions& options) {
  check_format(options.format);
  if (options.json && !(options.folder.empty() && options.reference.empty()))
    fail_input("table: --json: found with --{}, expected one of these",
               options.folder.empty() ? "reference" : "write");
  check_curves(options);
  if (!options.curves.empty()) return write_curves(options);
  std::vector<ResultColumn> columns = chosen_columns(options.columns);
  std::optional<Target> target;
  if (options.target) target = parse_target(*options.target);
  const std::vector<NamedInterconnect> networks = networks_of(options);
  const Results results = options.results.collect("table");
  Elsewhere elsewhere("table", options.elsewhere, options.workers);
  if (target) add_columns(*target, results, elsewhere, networks, columns);
  const ResultTable table = make_table(results, columns);
  std::optional<Differences> differences;
  if (options.against) differences = differences_to(*options.against, table);
  if (options.json) return print_json_table(table, differences);
  TablePage page = page_of(table);
  CsvFiles csv_files{{"table.csv", to_csv(table)}};
  if (differences) {
    page.differences = section_of(*differences, table);
    csv_files.emplace_back("differences.csv", to_csv(*differences, table));
  }
  if (!options.reference.empty()) {
    const std::vector<Comparison> comparisons =
        compare(results, read_reference_figures(options.reference, results));
    page.references.push_back(text_of(comparisons));
    csv_files.emplace_back("reference.csv", to_csv(comparisons));
  }
  return options.folder.empty() ? print_tables(options.format, page, csv_files)
                                : write_tables(options.folder, page, csv_files);
}

}  // namespace

int table_command(std::span<const std::string> arguments) {
  TableOptions options;
  CommandLine line("table");
  declare_options(line, options);
  return line.read(arguments, usage()) ? make_tables(options) : kSuccess;
}

}  // namespace localbatch
