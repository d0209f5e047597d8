// Rows beside one of them, against differences and intervals that were worked out by hand. The
// quantiles t_{0.975, 1} = 12.7062 and t_{0.975, 2} = 4.30265 are those of printed tables.

#include "report/paired_differences.h"

#include <doctest/doctest.h>

#include "report/run_files.h"
#include "report/table_formats.h"
#include "report/target.h"

namespace localbatch {

namespace {

ResultTable table_in(const std::filesystem::path& folder, const std::string& columns) {
  return make_table(collect_results({.sources = {folder}}), chosen_columns(columns));
}

void write_seed(const std::filesystem::path& below, int local_batch_size, int seed, double accuracy,
                RunFiles run = {}) {
  run.folder = fmt::format("b{}/H{}/{}", local_batch_size, run.H, seed);
  run.seed = seed;
  run.local_batch_size = local_batch_size;
  run.accuracies = {accuracy};
  write_run(below, run);
}

/// At H = 4 constant 8 has 51, 52 and 53 % with the seeds 1 to 3; others have the same seeds, two
/// of them and another one, one of them, and none.
void write_rows(const std::filesystem::path& runs) {
  for (int seed = 1; seed <= 3; ++seed) {
    write_seed(runs, 8, seed, 0.50 + 0.01 * seed);
    write_seed(runs, 16, seed, 0.27 + 0.03 * seed);
    write_seed(runs, 32, seed + 1, seed == 3 ? 0.99 : 0.30 + 0.03 * seed);
  }
  write_seed(runs, 64, 3, 0.50);
  write_seed(runs, 128, 4, 0.50);
}

/// The difference of the only column at a place of the results' cells.
const std::optional<PairedDifference>& figure_at(const Differences& differences, std::size_t row) {
  return differences.rows.at(row).figures.at(0);
}

}  // namespace

TEST_CASE("differences are over the seeds that both rows have, with Student's interval") {
  const ScratchFolder folder;
  write_rows(folder.path());
  const Differences differences =
      differences_to("constant 8", table_in(folder.path(), "final_test_accuracy"));
  REQUIRE(differences.rows.size() == 4);
  const PairedDifference three = *figure_at(differences, 0);  // -21, -19, -17
  CHECK(three.seeds == std::vector<std::string>{"1", "2", "3"});
  CHECK(three.mean == doctest::Approx(-19));
  CHECK(*three.margin == doctest::Approx(4.96825));         // 4.30265 * 2 / sqrt(3)
  const PairedDifference two = *figure_at(differences, 1);  // -19, -17; seed 4 has no partner
  CHECK(two.seeds == std::vector<std::string>{"2", "3"});
  CHECK(two.mean == doctest::Approx(-18));
  CHECK(*two.margin == doctest::Approx(12.7062));  // 12.7062 * sqrt(2) / sqrt(2)
  const PairedDifference one = *figure_at(differences, 2);
  CHECK(one.mean == doctest::Approx(-3));
  CHECK_FALSE(one.margin);
  CHECK_FALSE(figure_at(differences, 3));
}

TEST_CASE("the noise that pairs have in common is in no difference") {
  const ScratchFolder folder;
  for (int seed = 1; seed <= 3; ++seed) {
    write_seed(folder.path(), 8, seed, 0.25 * seed);
    write_seed(folder.path(), 16, seed, 0.25 * seed - 0.125);
  }
  const Differences differences =
      differences_to("constant 8", table_in(folder.path(), "final_test_accuracy"));
  CHECK(figure_at(differences, 0)->mean == -12.5);
  CHECK(*figure_at(differences, 0)->margin == 0);
}

TEST_CASE("a row is compared at the same H only") {
  const ScratchFolder folder;
  write_seed(folder.path(), 8, 1, 0.5);
  write_seed(folder.path(), 16, 1, 0.25);
  write_seed(folder.path(), 16, 1, 0.75, {.folder = {}, .H = 8});
  const ResultTable table = table_in(folder.path(), "final_test_accuracy");
  const Differences differences = differences_to("constant 8", table);
  CHECK(figure_at(differences, 0)->mean == -25);
  CHECK_FALSE(figure_at(differences, 1));
  const TableSection section = section_of(differences, table);
  REQUIRE(section.tables.size() == 1);
  REQUIRE(section.tables[0].rows.size() == 1);
  std::vector<std::string> texts;
  for (const TextTable::Cell& cell : section.tables[0].rows[0]) texts.push_back(cell.text);
  CHECK(texts == std::vector<std::string>{"constant 16", "1", "-25.00", "0", "-"});
}

TEST_CASE(
    "runs that have not finished make no pair, and figures that one run lacks none of theirs") {
  const ScratchFolder folder;
  for (int seed = 1; seed <= 5; ++seed) {
    write_seed(folder.path(), 8, seed, 0.5);
    write_seed(folder.path(), 16, seed, 0.25,
               {.folder = {},
                .outcome = seed == 4   ? "diverged"
                           : seed == 5 ? ""
                                       : "finished",
                .has_timing = seed != 2});
  }
  std::filesystem::remove(folder.path() / "b16/H4/5/evaluations.csv");
  const ResultTable table = table_in(folder.path(), "final_test_accuracy,seconds");
  const Differences differences = differences_to("constant 8", table);
  CHECK(differences.rows.at(0).seeds == std::vector<std::string>{"1", "2", "3"});
  const std::vector<TextTable::Cell> row = section_of(differences, table).tables.at(0).rows.at(0);
  CHECK(row.at(1).text == "3");
  CHECK(row.at(2).text == "-25.00 (-25.00 to -25.00)");
  CHECK(row.at(3).text == "+0 (+0 to +0), n = 2");
}

TEST_CASE("a seed that never reaches a target makes no pair of what it has spent") {
  const ScratchFolder folder;
  for (int seed = 1; seed <= 2; ++seed) {
    write_seed(folder.path(), 8, seed, 0.5);
    write_seed(folder.path(), 16, seed, seed == 1 ? 0.5 : 0.25);
  }
  const ResultTable table = make_table(collect_results({.sources = {folder.path()}}),
                                       columns_of(parse_target("test_accuracy=0.5")));
  const Differences differences = differences_to("constant 8", table);
  CHECK(figure_at(differences, 0)->seeds == std::vector<std::string>{"1"});
  CHECK(section_of(differences, table).tables.at(0).rows.at(0).at(2).text == "+0, n = 1");
}

TEST_CASE("differences in Markdown, LaTeX, HTML and CSV") {
  const ScratchFolder folder;
  write_rows(folder.path());
  const ResultTable table = table_in(folder.path(), "final_test_accuracy");
  const Differences differences = differences_to("constant 8", table);
  TablePage page = page_of(table);
  CHECK_FALSE(contains(to_markdown(page), "Difference to"));
  page.differences = section_of(differences, table);
  CHECK(contains(to_markdown(page),
                 "Difference to constant 8, over the n pairs of finished runs with the same H and "
                 "seed: mean (95 % interval by Student's t with n - 1 degrees of freedom; none for "
                 "one pair); -: no pair has the figure.\n\n"
                 "H = 4\n\n"
                 "| schedule | n | final test acc. (%) |\n"
                 "|---|---:|---:|\n"
                 "| constant 16 | 3 | -19.00 (-23.97 to -14.03) |\n"
                 "| constant 32 | 2 | -18.00 (-30.71 to -5.29) |\n"
                 "| constant 64 | 1 | -3.00 |\n"
                 "| constant 128 | 0 | - |\n\n"
                 "Runs:"));
  CHECK(contains(to_latex(page), "constant 32 & 2 & -18.00 (-30.71 to -5.29) \\\\\n"));
  CHECK(contains(to_latex(page), "\nDifference to constant 8, over the n pairs"));
  CHECK(contains(to_html(page), "<td>-18.00 (-30.71 to -5.29)</td>"));
  CHECK(contains(to_html(page), "<p>Difference to constant 8, over"));
  const std::string csv = to_csv(differences, table);
  CHECK(
      csv.starts_with("schedule,H,against,column,pairs,seeds,mean_difference,interval_low,"
                      "interval_high\n"
                      "constant 16,H = 4,constant 8,final_test_accuracy,3,1; 2; 3,-1"));
  CHECK(csv.ends_with("constant 128,H = 4,constant 8,final_test_accuracy,0,,,,\n"));
}

TEST_CASE(
    "a row that the table does not have is refused with the nearest, and so is the only one") {
  const ScratchFolder folder;
  write_seed(folder.path(), 8, 1, 0.5);
  const auto refused = [&folder](const std::string& row) {
    return input_error([&] { differences_to(row, table_in(folder.path(), "rounds")); });
  };
  CHECK(contains(refused("constant 8"), "which is the only row"));
  write_seed(folder.path(), 16, 1, 0.5);
  CHECK(contains(refused("constnt 16"),
                 "--against: found 'constnt 16', allowed is constant 8 | constant 16 (did you mean "
                 "'constant 16'?)"));
}

}  // namespace localbatch
