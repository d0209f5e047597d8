#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <iostream>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "report/reference.h"
#include "report/table_formats.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

/// What `localbatch table` was asked for.
struct TableOptions {
  ResultOptions results;
  std::string format, folder, columns, reference;
};

po::options_description visible_options(TableOptions& options) {
  po::options_description visible("options");
  visible.add_options()("help,h", "print this text");
  options.results.add_to(visible);
  auto add = visible.add_options();
  add("format", po::value(&options.format)->value_name("NAME")->default_value("markdown"),
      "of what is printed: markdown, latex or csv");
  add("write", po::value(&options.folder)->value_name("DIR"),
      "write table.md, table.tex and table.csv there in place of printing one");
  add("columns", po::value(&options.columns)->value_name("a,b,.."),
      "which ones, in which order; they are listed above");
  add("reference", po::value(&options.reference)->value_name("CSV"),
      "figures to put beside: schedule,H,column,mean,standard_deviation,n,source,samples,workers,"
      "dataset,model in the units above; unknown ones may be empty");
  return visible;
}

void print_help(const po::options_description& visible) {
  std::cout << "usage: localbatch table FILE|FOLDER... [OPTIONS]\n\n"
            << "A row for each schedule, a group of columns for each H, means and deviations over\n"
            << "seeds. A FILE shows all cells of its sweep, a FOLDER the runs that are in it.\n\n"
            << "columns:\n";
  for (const ResultColumn& column : result_columns())
    std::cout << fmt::format("  {:<26}{}\n", column.name, column.meaning);
  std::cout << "\n" << visible << std::flush;
}

void check_format(const std::string& format) {
  const std::vector<std::string> formats{"markdown", "latex", "csv"};
  if (std::ranges::find(formats, format) == formats.end())
    fail_input("table: --format: found '{}', allowed is {}{}", format, fmt::join(formats, " | "),
               did_you_mean(format, formats));
}

int make_tables(const TableOptions& options) {
  check_format(options.format);
  const std::vector<ResultColumn> columns = chosen_columns(options.columns);
  const Results results = options.results.collect("table");
  const ResultTable table = make_table(results, columns);
  TablePage page = page_of(table);
  std::string csv = to_csv(table), reference_csv;
  if (!options.reference.empty()) {
    const std::vector<Comparison> comparisons =
        compare(results, read_reference_figures(options.reference, results));
    page.references.push_back(text_of(comparisons));
    reference_csv = to_csv(comparisons);
  }
  if (!options.folder.empty()) {
    const std::filesystem::path folder = options.folder;
    make_folder(folder);
    write_file_atomically(folder / "table.md", to_markdown(page));
    write_file_atomically(folder / "table.tex", to_latex(page));
    write_file_atomically(folder / "table.csv", csv);
    if (!reference_csv.empty()) write_file_atomically(folder / "reference.csv", reference_csv);
    fmt::print("{}: table.md, table.tex, table.csv{}\n", folder.string(),
               reference_csv.empty() ? "" : ", reference.csv");
    return kSuccess;
  }
  if (!reference_csv.empty()) csv += "\n" + reference_csv;
  const std::string& text = options.format == "csv"     ? csv
                            : options.format == "latex" ? to_latex(page)
                                                        : to_markdown(page);
  fmt::print("{}", text);
  return kSuccess;
}

}  // namespace

int table_command(std::span<const std::string> arguments) {
  TableOptions options;
  const po::options_description visible = visible_options(options);
  const po::variables_map given = read_command_line(
      "table", visible,
      {.name = "source", .value = po::value(&options.results.sources), .most = -1}, arguments);
  if (given.count("help") > 0) {
    print_help(visible);
    return kSuccess;
  }
  return make_tables(options);
}

}  // namespace localbatch
