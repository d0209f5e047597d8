#include <array>
#include <string>
#include <string_view>

#include "core/text.h"
#include "data/fixtures.h"
#include "fuzz/fuzz_target.h"
#include "plan/interconnect.h"
#include "plan/measured_run.h"
#include "report/gnuplot.h"
#include "report/html_page.h"
#include "report/paired_differences.h"
#include "report/reference.h"
#include "report/table_formats.h"
#include "report/target.h"
#include "run/run_sweep.h"

using namespace localbatch;

namespace {

namespace fs = std::filesystem;

/// The files of a run, a table of reference figures, and what connects hosts.
constexpr std::array<std::string_view, 10> kNames{
    "experiment.yaml", "rounds.csv",    "evaluations.csv", "timing.csv",
    "summary.json",    "manifest.json", "failure.txt",     "lock",
    "reference.csv",   "network.yaml"};

/// Writes what stands behind a line "@@ name" to the file of this name.
void write_files(std::string_view text, const fs::path& folder) {
  fs::remove_all(folder);
  fs::create_directory(folder);
  const std::string marked = "\n" + std::string(text);
  for (const std::string_view name : kNames) {
    const std::string mark = "\n@@ " + std::string(name) + "\n";
    const std::size_t found = marked.find(mark);
    if (found == std::string::npos) continue;
    const std::size_t begin = found + mark.size();
    const std::size_t end = std::min(marked.find("\n@@ ", begin - 1), marked.size());
    std::ofstream(folder / name, std::ios::binary)
        << std::string_view(marked).substr(begin, end + 1 - begin);
  }
}

void check_shown(const std::string& text) {
  check(text == printable(text, "\n"), "what is shown holds no control character");
}

void show(const Results& results) {
  std::vector<ResultColumn> columns(result_columns().begin(), result_columns().end());
  for (const ResultColumn& column : columns_of(parse_target("test_accuracy=0.5")))
    columns.push_back(column);
  const ResultTable table = make_table(results, columns);
  const TablePage page = page_of(table);
  for (const std::string& text : {to_markdown(page), to_latex(page), to_csv(table)})
    check_shown(text);
  read_or_refuse([&] {
    const Differences differences = differences_to(table.results.rows.front(), table);
    check_shown(to_csv(differences, table));
  });
  check_shown(html_page(results, page, {}));
  for (const FigureAxes& axes : {FigureAxes{.x = "samples", .y = "test_accuracy"},
                                 {.x = "bytes", .y = "local_batch_size"},
                                 {.x = "local_steps", .y = "learning_rate"},
                                 {.x = "seconds", .y = "loss", .smooth = 3}}) {
    const Figure figure = make_figure(results, axes);
    check_shown(data_of(figure));
    check_shown(script_of(figure, {"svg"}));
  }
}

}  // namespace

/// Writes a folder of results and gives it to everything that reads one.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  write_files({reinterpret_cast<const char*>(bytes), size}, folder);
  read_or_refuse([&] {
    const Results results = collect_results({.sources = {folder}, .unfinished = true});
    show(results);
    if (fs::exists(folder / "reference.csv"))
      check_shown(
          to_csv(compare(results, read_reference_figures(folder / "reference.csv", results))));
  });
  read_or_refuse([&] { progress_of_run(folder); });
  read_or_refuse([&] { read_measured_run(folder, {}); });
  read_or_refuse([&] { read_recorded_run(folder); });
  read_or_refuse([&] { read_interconnect(folder / "network.yaml"); });
  return 0;
}
