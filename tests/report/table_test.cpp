// From folders of runs to the three formats.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "report/curves_data.h"
#include "report/result_table.h"
#include "report/results.h"
#include "report/run_files.h"
#include "report/table_formats.h"
#include "report/table_text.h"

namespace localbatch {

namespace {

ResultTable table_of(const std::filesystem::path& folder, const std::string& columns) {
  return make_table(collect_results({.sources = {folder}}), chosen_columns(columns));
}

const TableEntry& entry(const ResultTable& table, std::string_view row, std::string_view group,
                        std::size_t column = 0) {
  for (std::size_t i = 0; i < table.results.cells.size(); ++i)
    if (table.results.rows[table.results.cells[i].row] == row &&
        table.results.groups[table.results.cells[i].group] == group)
      return table.entries[i].at(column);
  FAIL("no such cell");
  return table.entries.front().front();
}

/// Three seeds of two schedules, which differ by much more than their seeds.
void write_two_schedules(const std::filesystem::path& below) {
  for (int seed = 1; seed <= 3; ++seed) {
    write_run(below, {.folder = fmt::format("small/{}", seed),
                      .seed = seed,
                      .accuracies = {0.2, 0.5 + 0.01 * seed}});
    write_run(below, {.folder = fmt::format("large/{}", seed),
                      .seed = seed,
                      .local_batch_size = 16,
                      .accuracies = {0.2, 0.3 + 0.01 * seed}});
  }
}

}  // namespace

TEST_CASE("columns follow from the CSV files of a run") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .H = 4, .accuracies = {0.6, 0.5, 0.55}});
  const ResultTable table = table_of(folder.path(), "");
  const auto value = [&table](std::size_t column) {
    return entry(table, "constant 8", "H = 4", column).sample->mean;
  };
  CHECK(value(0) == 12);    // steps: 3 rounds of 4
  CHECK(value(1) == 3);     // rounds
  CHECK(value(2) == 6);     // seconds
  CHECK(value(3) == 8);     // 3 * 64 samples / (2 workers * 12 steps)
  CHECK(value(4) == 3000);  // bytes
  CHECK(value(5) == doctest::Approx(1.0 / 3));
  CHECK(value(6) == doctest::Approx(60));
  CHECK(value(7) == doctest::Approx(55));
}

TEST_CASE("seeds are merged, and the best beyond the noise is marked") {
  const ScratchFolder folder;
  write_two_schedules(folder.path());
  const ResultTable table = table_of(folder.path(), "final_test_accuracy,rounds,steps");
  const TableEntry& small = entry(table, "constant 8", "H = 4");
  CHECK(small.sample->mean == doctest::Approx(52));
  CHECK(*small.sample->standard_deviation == doctest::Approx(1));
  CHECK(small.sample->n == 3);
  CHECK(small.best);
  CHECK_FALSE(entry(table, "constant 16", "H = 4").best);
  CHECK_FALSE(entry(table, "constant 8", "H = 4", 1).best);  // both have two rounds
}

TEST_CASE("nothing is marked for a single seed or a difference within the noise") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.9}});
  write_run(folder.path(), {.folder = "b", .local_batch_size = 16, .accuracies = {0.1}});
  CHECK_FALSE(entry(table_of(folder.path(), "final_test_accuracy"), "constant 8", "H = 4").best);
  const ScratchFolder other;
  for (int seed = 1; seed <= 2; ++seed) {
    write_run(other.path(),
              {.folder = fmt::format("a{}", seed), .seed = seed, .accuracies = {0.5 + 0.1 * seed}});
    write_run(other.path(), {.folder = fmt::format("b{}", seed),
                             .seed = seed,
                             .local_batch_size = 16,
                             .accuracies = {0.4 + 0.1 * seed}});
  }
  CHECK_FALSE(entry(table_of(other.path(), "final_test_accuracy"), "constant 8", "H = 4").best);
}

TEST_CASE("a cell in which a run has diverged is not the best") {
  const ScratchFolder folder;
  write_two_schedules(folder.path());
  write_run(folder.path(), {.folder = "small/4", .seed = 4, .outcome = "diverged"});
  const ResultTable table = table_of(folder.path(), "final_test_accuracy");
  CHECK(entry(table, "constant 8", "H = 4").sample->n == 3);
  CHECK_FALSE(entry(table, "constant 8", "H = 4").best);
  CHECK(page_of(table).tables[0].rows[0][1].text == "3 of 4, 1 diverged");
}

TEST_CASE("Markdown of a small table, to the letter") {
  const ScratchFolder folder;
  const std::filesystem::path runs = folder.path() / "runs";
  write_two_schedules(runs);
  write_run(runs, {.folder = "late",
                   .H = 8,
                   .accuracies = {0.25},
                   .outcome = "",
                   .rounds_left = 1,
                   .has_manifest = false});
  write_run(runs, {.folder = "gone", .H = 8, .seed = 2, .outcome = "diverged"});
  CHECK(to_markdown(page_of(table_of(runs, "final_test_accuracy,bytes"))) ==
        "## runs: tiny\n"
        "\n"
        "| schedule | H = 4: n | H = 4: final test acc. (%) | H = 4: MB per worker | H = 8: n | "
        "H = 8: final test acc. (%) | H = 8: MB per worker |\n"
        "|---|---:|---:|---:|---:|---:|---:|\n"
        "| constant 8 | 3 | **52.00 ± 1.00** | 0.00200 ± 0.00000 | 0 of 2, 1 diverged, 1 "
        "unfinished | "
        "diverged | diverged |\n"
        "| constant 16 | 3 | 32.00 ± 1.00 | 0.00200 ± 0.00000 | | | |\n"
        "\n"
        "- n: finished seeds; mean ± standard deviation over them (n - 1).\n"
        "- bold: ahead of the second best of its column and H by more than the noise of the seeds "
        "(Welch, 95 %).\n"
        "- final test acc. (%): of the last evaluation, percent; MB per worker: given to averages, "
        "the sum of method\\_bytes in rounds.csv.\n"
        "\n"
        "Runs:\n"
        "\n"
        "- constant 8, H = 4, seed 1: runs/small/1 (finished; commit abc123)\n"
        "- constant 8, H = 4, seed 2: runs/small/2 (finished; commit abc123)\n"
        "- constant 8, H = 4, seed 3: runs/small/3 (finished; commit abc123)\n"
        "- constant 8, H = 8, seed 1: runs/late (unfinished, 50 %; commit not recorded)\n"
        "- constant 8, H = 8, seed 2: runs/gone (diverged; commit abc123)\n"
        "- constant 16, H = 4, seed 1: runs/large/1 (finished; commit abc123)\n"
        "- constant 16, H = 4, seed 2: runs/large/2 (finished; commit abc123)\n"
        "- constant 16, H = 4, seed 3: runs/large/3 (finished; commit abc123)\n");
}

TEST_CASE("LaTeX and CSV of a small table, to the letter") {
  const ScratchFolder folder;
  const std::filesystem::path runs = folder.path() / "runs";
  write_run(runs, {.folder = "b", .seed = 2, .accuracies = {0.5}, .has_timing = false});
  write_run(
      runs,
      {.folder = "a_1", .controller = "  name: norm_test\n  eta: 0.8\n", .outcome = "diverged"});
  const ResultTable table = table_of(runs, "final_test_accuracy,seconds");
  CHECK(to_latex(page_of(table)) ==
        "% runs: tiny\n"
        "\\begin{tabular}{lrrr}\n"
        "\\hline\n"
        " & \\multicolumn{3}{c}{H = 4} \\\\\n"
        "schedule & n & final test acc. (\\%) & time (s) \\\\\n"
        "\\hline\n"
        "constant 8 & 1 & 50.00 & -- \\\\\n"
        "norm test, eta 0.8 & 0 of 1, 1 diverged & diverged & diverged \\\\\n"
        "\\hline\n"
        "\\end{tabular}\n"
        "\n"
        "\\par\\smallskip\n"
        "{\\footnotesize\n"
        "n: finished seeds; mean $\\pm$ standard deviation over them (n - 1).\n"
        "bold: none; no best figure is ahead of the second best of its column and H by more than "
        "the noise of the seeds (Welch, 95 \\%; n of at least 2).\n"
        "-: no finished run, or its files do not say.\n"
        "final test acc. (\\%): of the last evaluation, percent; time (s): wall time with "
        "evaluations.\n"
        "\\par}\n"
        "% constant 8, H = 4, seed 2: runs/b (finished; commit abc123)\n"
        "% norm test, eta 0.8, H = 4, seed 1: runs/a_1 (diverged; commit abc123)\n");
  CHECK(to_csv(table) ==
        "schedule,H,runs,n,seeds,diverged,not_finished,final_test_accuracy_mean,"
        "final_test_accuracy_standard_deviation,final_test_accuracy_best,seconds_mean,"
        "seconds_standard_deviation,seconds_best,folders,commits\n"
        "constant 8,H = 4,1,1,2,,,50,,,,,,runs/b,abc123\n"
        "\"norm test, eta 0.8\",H = 4,1,0,,1,,,,,,,,runs/a_1,abc123\n");
}

TEST_CASE("runs that have not ended have figures where somebody asks for them, marked so") {
  const ScratchFolder folder;
  for (int seed = 1; seed <= 2; ++seed)
    write_run(folder.path() / "runs", {.folder = fmt::format("a{}", seed),
                                       .seed = seed,
                                       .accuracies = {0.1 * seed},
                                       .outcome = "",
                                       .rounds_left = 1});
  write_run(folder.path() / "runs", {.folder = "b", .local_batch_size = 16});
  Results results = collect_results({.sources = {folder.path() / "runs"}, .unfinished = true});
  const ResultTable table = make_table(results, chosen_columns("final_test_accuracy"));
  CHECK(entry(table, "constant 8", "H = 4").sample->n == 2);
  CHECK(entry(table, "constant 8", "H = 4").so_far);
  const std::string text = to_markdown(page_of(table));
  CHECK(contains(text, "| constant 8 | 0 of 2, 2 unfinished | 15.00 ± 7.07 (so far) |"));
  CHECK(contains(text, "- so far: of runs that have not ended"));
  CHECK(contains(to_csv(table), ",so far,"));
  results.unfinished = false;
  const ResultTable without = make_table(results, chosen_columns("final_test_accuracy"));
  CHECK(contains(to_markdown(page_of(without)), "| constant 8 | 0 of 2, 2 unfinished | - |"));
}

TEST_CASE("when the best was reached, for the first time") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.1, 0.6, 0.5, 0.6}});
  const ResultTable table = table_of(folder.path(), "best_test_accuracy_samples");
  CHECK(entry(table, "constant 8", "H = 4").sample->mean == 128);
}

TEST_CASE("a figure that is no number is never the best") {
  const ScratchFolder folder;
  const double nan = std::nan("");
  write_run(folder.path(), {.folder = "some", .accuracies = {nan, 0.5, nan, 0.6}});
  write_run(folder.path(),
            {.folder = "none", .local_batch_size = 16, .accuracies = {nan, nan, nan, nan}});
  const ResultTable table =
      table_of(folder.path(), "best_test_accuracy,best_test_accuracy_samples");
  CHECK(entry(table, "constant 8", "H = 4", 0).sample->mean == 60);
  CHECK(entry(table, "constant 8", "H = 4", 1).sample->mean == 256);
  CHECK_FALSE(entry(table, "constant 16", "H = 4", 0).sample);
}

TEST_CASE("held-out samples choose the best evaluation, where a run has some") {
  const ScratchFolder folder;
  // Their accuracy is highest in the first evaluation and, again, in the third one, their loss
  // smallest in the third one; the second one is the best by the test set.
  const RunFiles held_out{.folder = "validated",
                          .accuracies = {0.5, 0.7, 0.6},
                          .of_dataset = "  validation: 10\n",
                          .perplexities = {9, 4, 8},
                          .validation = {{1.0, 0.25}, {1.2, 0.2}, {0.9, 0.25}}};
  RunFiles by_test = held_out;
  by_test.folder = "by_test";
  by_test.local_batch_size = 16;
  by_test.of_dataset.clear();
  by_test.validation.clear();
  write_run(folder.path() / "runs", held_out);
  write_run(folder.path() / "runs", by_test);
  const ResultTable table = table_of(
      folder.path() / "runs",
      "best_test_accuracy,best_test_accuracy_samples,best_test_perplexity,best_test_bits_per_byte,"
      "final_test_accuracy,final_validation_accuracy,final_validation_loss");
  const auto values = [&table](const char* row) {
    std::vector<double> means;
    for (std::size_t column = 0; column < 7; ++column)
      means.push_back(entry(table, row, "H = 4", column).sample.value_or(Sample{.mean = -1}).mean);
    return means;
  };
  CHECK(values("constant 8") == std::vector<double>{50, 64, 8, 1, 60, 25, 0.9});
  CHECK(values("constant 16") == std::vector<double>{70, 128, 4, 0.5, 60, -1, -1});
}

TEST_CASE("a table says what its best evaluations were chosen on") {
  const auto notes = [](const std::filesystem::path& runs, const std::string& columns) {
    std::string all;
    for (const std::string& line : page_of(table_of(runs, columns)).legend)
      if (line.starts_with("best: ")) all += line + "\n";
    return all;
  };
  const ScratchFolder folder;
  const std::filesystem::path one = folder.path() / "one", both = folder.path() / "both";
  const RunFiles by_test{.folder = "a"};
  const RunFiles validated{
      .folder = "b", .local_batch_size = 16, .validation = {{1, 0.5}, {2, 0.25}}};
  write_run(one, by_test);
  write_run(both, by_test);
  write_run(both, validated);
  CHECK(notes(one, "best_test_accuracy") ==
        "best: chosen on the test set itself, which flatters it: no samples were held out to "
        "choose by (dataset.validation).\n");
  CHECK(notes(one, "final_test_accuracy").empty());
  CHECK(notes(both, "best_test_loss") ==
        "best: of runs that have some the test figure of the evaluation that held-out samples "
        "(dataset.validation) choose, for an accuracy by their accuracy, else by their loss.\n"
        "best: of the other runs chosen on the test set itself, which flatters it: no samples were "
        "held out to choose by (dataset.validation).\n");
  CHECK(notes(both / "b", "best_test_loss").starts_with("best: the test figure of the evaluation"));
  const ResultTable table = table_of(both, "best_test_accuracy");
  const std::string csv = to_csv(table);
  CHECK(contains(csv, "best_test_accuracy_best,best_chosen_on,folders"));
  CHECK(contains(csv, ",test,both/a,"));
  CHECK(contains(csv, ",validation,both/b,"));
  for (const std::string& text :
       {to_markdown(page_of(table)), to_latex(page_of(table)), to_html(page_of(table))})
    CHECK(contains(text, "chosen on the test set itself"));
  CHECK_FALSE(contains(to_csv(table_of(both, "final_test_accuracy")), "best_chosen_on"));
}

TEST_CASE("of texts the smallest perplexity and the fewest bits are the best") {
  const ScratchFolder folder;
  for (const int seed : {1, 2, 3}) {
    const double noise = 0.01 * seed;
    write_run(
        folder.path() / "runs",
        {.folder = fmt::format("small{}", seed), .seed = seed, .perplexities = {9, 6 + noise}});
    write_run(folder.path() / "runs", {.folder = fmt::format("large{}", seed),
                                       .seed = seed,
                                       .local_batch_size = 16,
                                       .perplexities = {4 + noise, 8 + noise}});
  }
  const std::string names =
      "final_test_perplexity,best_test_perplexity,final_test_bits_per_byte,best_test_bits_per_byte";
  const ResultTable table = table_of(folder.path() / "runs", names);
  const auto entries_of = [&table](const char* row) {
    for (std::size_t i = 0; i < table.entries.size(); ++i)
      if (table.results.rows[table.results.cells[i].row] == row) return table.entries[i];
    return std::vector<TableEntry>();
  };
  const std::vector<TableEntry> small = entries_of("constant 8"), large = entries_of("constant 16");
  REQUIRE(small.size() == 4);
  REQUIRE(large.size() == 4);
  CHECK(small[0].sample->mean == doctest::Approx(6.02));
  CHECK(small[1].sample->mean == doctest::Approx(6.02));
  CHECK(large[1].sample->mean == doctest::Approx(4.02));
  CHECK(large[3].sample->mean == doctest::Approx(4.02 / 8));
  for (const std::size_t last : {0, 2}) CHECK(small[last].best);
  for (const std::size_t best : {1, 3}) CHECK(large[best].best);
}

TEST_CASE("the same results make the same bytes, in whatever order and wherever they lie") {
  const ScratchFolder one, other;
  write_two_schedules(one.path() / "runs");
  std::vector<std::filesystem::path> runs;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(one.path() / "runs"))
    if (entry.is_regular_file()) runs.push_back(entry.path());
  std::ranges::sort(runs, std::greater());
  for (const std::filesystem::path& file : runs) {
    const auto copy = other.path() / file.lexically_relative(one.path());
    std::filesystem::create_directories(copy.parent_path());
    std::filesystem::copy_file(file, copy);
  }
  const ResultTable a = table_of(one.path() / "runs", ""), b = table_of(other.path() / "runs/", "");
  CHECK(to_markdown(page_of(a)) == to_markdown(page_of(b)));
  CHECK(to_latex(page_of(a)) == to_latex(page_of(b)));
  CHECK(to_csv(a) == to_csv(b));
  CHECK_FALSE(contains(to_csv(a), one.path().string()));
}

TEST_CASE("texts of a person are escaped") {
  for (const std::string& text :
       {escaped_for_markdown("\x1b[2J"), escaped_for_latex("\x1b[2J"), escaped_for_html("\x1b[2J")})
    CHECK(contains(text, "u001b"));
  CHECK(escaped_for_markdown("a|b*_") == "a\\|b\\*\\_");
  CHECK(escaped_for_latex("50 % & a_b #1 {x} ~^\\") ==
        "50 \\% \\& a\\_b \\#1 \\{x\\} \\textasciitilde{}\\textasciicircum{}\\textbackslash{}");
  // Behind a line's end LaTeX would take them for a part of it.
  CHECK(escaped_for_latex("*[1]") == "{*}{[}1{]}");
  CHECK(escaped_for_html("<a href=\"x\">&") == "&lt;a href=&quot;x&quot;&gt;&amp;");
}

TEST_CASE("unknown columns are refused with the nearest name") {
  CHECK(contains(input_error([] { chosen_columns("rouds"); }), "(did you mean 'rounds'?)"));
  CHECK(contains(input_error([] { chosen_columns("rounds,rounds"); }), "'rounds' twice"));
  CHECK(contains(input_error([] { chosen_columns("rounds,"); }), "found ''"));
}

TEST_CASE("without a summary a run has finished when its budget is used up and evaluated") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .outcome = ""});
  CHECK(read_finished_run(folder.path() / "a", "a").status == RunStatus::kFinished);
  write_text(folder.path() / "a" / "evaluations.csv",
             "round,samples,train_loss,test_loss,test_accuracy\n");
  const FinishedRun run = read_finished_run(folder.path() / "a", "a");
  CHECK(run.status == RunStatus::kUnfinished);
  CHECK(status_text(run) == "unfinished, 100 %");
}

TEST_CASE("a run that went on in another version names both") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a"});
  const std::filesystem::path run = folder.path() / "a";
  write_text(run / "manifest-from-10.json", R"({"commit": "third", "host": "desk"})");
  write_text(run / "manifest-from-9.json", R"({"commit": "second", "host": "desk"})");
  CHECK(origin_text(read_finished_run(run, "a")) == "commit abc123, second, third");
}

TEST_CASE("runs of one data set that read other data are told of") {
  const ScratchFolder folder;
  const auto data_of = [&folder](const std::string& run, const std::string& checksum) {
    write_text(folder.path() / run / "manifest.json",
               fmt::format(R"({{"commit": "abc123", "data": "{}"}})", checksum));
  };
  const auto remarks = [&folder] {
    const Results results = collect_results({.sources = {folder.path()}, .settings = {}});
    CHECK(make_figure(results, {.x = "samples", .y = "test_loss"}).remarks == results.remarks);
    return results.remarks;
  };
  write_run(folder.path(), {.folder = "a"});
  write_run(folder.path(), {.folder = "b", .local_batch_size = 16});
  write_run(folder.path(), {.folder = "c", .local_batch_size = 32, .of_dataset = "  train: 10\n"});
  CHECK(remarks().empty());
  data_of("a", "01");
  data_of("b", "01");
  data_of("c", "03");
  CHECK(remarks().empty());
  data_of("b", "02");
  const std::vector<std::string> found = remarks();
  REQUIRE(found.size() == 1);
  CHECK_MESSAGE(contains(found[0],
                         "have the same data set and read other data, with the "
                         "checksums 01 and 02"),
                found[0]);
}

TEST_CASE("curves that were cut short behind the end of their run are refused") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a"});
  const std::filesystem::path run = folder.path() / "a";
  write_text(run / "summary.json", R"({"outcome": "finished", "rounds": 2})");
  CHECK_NOTHROW(table_of(folder.path(), ""));
  write_text(run / "summary.json", R"({"outcome": "finished", "rounds": 3})");
  CHECK(contains(input_error([&] { table_of(folder.path(), ""); }),
                 "a/rounds.csv: ends at round 2, and the run of its summary.json at 3"));
}

TEST_CASE("folders without a run, damaged files and the same run twice are refused") {
  const ScratchFolder folder;
  CHECK(contains(input_error([&] { table_of(folder.path(), ""); }), "holds no run"));
  write_run(folder.path(), {.folder = "a"});
  write_run(folder.path(), {.folder = "b", .accuracies = {0.25, 0.75}});
  CHECK(contains(input_error([&] { table_of(folder.path(), ""); }),
                 "both are constant 8, H = 4, seed 1; expected one of them"));
  std::filesystem::remove_all(folder.path() / "b");
  write_text(folder.path() / "a" / "summary.json", "{");
  CHECK(contains(input_error([&] { table_of(folder.path(), ""); }), "a/summary.json: "));
  write_text(folder.path() / "a" / "summary.json", "{}");
  CHECK(contains(input_error([&] { table_of(folder.path(), ""); }),
                 "a/summary.json: outcome: found nothing"));
}

}  // namespace localbatch
