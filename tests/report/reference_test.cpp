#include "report/reference.h"

#include <doctest/doctest.h>

#include "core/csv.h"
#include "report/results.h"
#include "report/run_files.h"

namespace localbatch {

namespace {

/// Three seeds with 51, 52 and 53 %.
struct ReferenceFixture {
  ReferenceFixture() {
    for (int seed = 1; seed <= 3; ++seed)
      write_run(
          folder.path() / "runs",
          {.folder = fmt::format("{}", seed), .seed = seed, .accuracies = {0.5 + 0.01 * seed}});
    results = collect_results({.sources = {folder.path() / "runs"}});
  }

  std::vector<Comparison> compared(const std::string& text) const {
    write_text(folder.path() / "table.csv", text);
    return compare(results, read_reference_figures(folder.path() / "table.csv", results));
  }

  /// Of a figure with a whole protocol, or another one.
  std::string verdict(const std::string& figure,
                      const std::string& protocol = "64,2,Synthetic,ResNet-20") const {
    const auto all = compared(
        "schedule,H,column,mean,standard_deviation,n,source,samples,workers,dataset,model\n"
        "constant 8,4,final_test_accuracy," +
        figure + ",\"them, 2024\"," + protocol + "\n");
    return all.at(0).verdict;
  }

  std::string error(const std::string& text) const {
    return input_error([&] { compared(text); });
  }

  ScratchFolder folder;
  Results results;
};

}  // namespace

TEST_CASE("a figure beside ours is inside or outside the noise of the seeds") {
  const ReferenceFixture fixture;
  CHECK(fixture.verdict("53,1,3") == "inside");   // noise 2.776 sqrt(2/3) = 2.27
  CHECK(fixture.verdict("55,1,3") == "outside");  // 3 apart
  CHECK(fixture.verdict("55,1,1") == "too few seeds");
  CHECK(fixture.verdict("55,,3") == "too few seeds");
  CHECK(fixture.verdict("55,,") == "too few seeds");
}

TEST_CASE("another protocol is said in place of a verdict, and an unknown one beside it") {
  const ReferenceFixture fixture;
  CHECK(fixture.verdict("53,1,3", "7500000,2,synthetic,resnet20") ==
        "other protocol (samples 64, theirs 7500000)");
  CHECK(fixture.verdict("53,1,3", ",16,cifar10,") ==
        "other protocol (workers 2, theirs 16; dataset synthetic, theirs cifar10); protocol "
        "unknown: samples, model");
  CHECK(fixture.verdict("53,1,3", ",2,synthetic,") == "inside; protocol unknown: samples, model");
}

TEST_CASE("for texts another window or another vocabulary is another protocol") {
  const ScratchFolder folder;
  for (const char* const vocabulary : {"vocabulary: bytes", "vocabulary_size: 50257"}) {
    CAPTURE(vocabulary);
    for (int seed = 1; seed <= 3; ++seed)
      write_run(folder.path() / vocabulary,
                {.folder = fmt::format("{}", seed),
                 .seed = seed,
                 .accuracies = {0.5},
                 .of_dataset = fmt::format("  sequence_length: 64\n  {}\n", vocabulary),
                 .perplexities = {6 + 0.01 * seed}});
    const Results results = collect_results({.sources = {folder.path() / vocabulary}});
    const auto verdict = [&](const std::string& head, const std::string& cells) {
      write_text(folder.path() / "table.csv",
                 "schedule,H,column,mean,standard_deviation,n,samples,workers,dataset,model" +
                     head +
                     "\nconstant 8,4,final_test_perplexity,6.02,0.01,3,64,2,synthetic,resnet20" +
                     cells + "\n");
      return compare(results, read_reference_figures(folder.path() / "table.csv", results))
          .at(0)
          .verdict;
    };
    const std::string head = ",sequence_length,vocabulary";
    const std::string ours = vocabulary == std::string("vocabulary: bytes") ? "bytes" : "50257";
    CHECK(verdict(head, ",64," + ours) == "inside");
    CHECK(verdict(head, ",128," + ours) == "other protocol (sequence_length 64, theirs 128)");
    CHECK(verdict(head, ",64,32000") == "other protocol (vocabulary " + ours + ", theirs 32000)");
    CHECK(verdict("", "") == "inside; protocol unknown: sequence_length, vocabulary");
  }
  // Of images nobody asks for either.
  CHECK(ReferenceFixture().verdict("53,1,3") == "inside");
}

TEST_CASE("comparisons as text and CSV") {
  const ReferenceFixture fixture;
  const auto all = fixture.compared(
      "schedule,H,column,mean,source\nconstant 8,H = 4,final_test_accuracy,50,paper\n");
  const TextTable table = text_of(all);
  REQUIRE(table.rows.size() == 1);
  std::vector<std::string> cells;
  for (const TextTable::Cell& cell : table.rows[0]) cells.push_back(cell.text);
  CHECK(cells == std::vector<std::string>{
                     "constant 8", "H = 4", "final test acc. (%)", "52.00 ± 1.00 (n = 3)",
                     "50.00 (n = unknown)", "2.00",
                     "too few seeds; protocol unknown: samples, workers, dataset, model", "paper"});
  CHECK(contains(to_csv(all), "constant 8,H = 4,final_test_accuracy,52"));
}

TEST_CASE("mistakes in a reference table are refused with file and line") {
  const ReferenceFixture fixture;
  const std::string path = (fixture.folder.path() / "table.csv").string();
  const std::string head = "schedule,H,column,mean,n\n";
  CHECK(fixture.error("") == path + ": holds no line");
  CHECK(fixture.error("schedule,H,colum,mean\n")
            .starts_with(path + ":1: found the column 'colum', allowed is "));
  CHECK(fixture.error("schedule,H,column\n") == path + ":1: the column mean is missing");
  CHECK(fixture.error(head + "constant 8,4\n") == path + ":2: found 2 cells, expected 5");
  CHECK(fixture.error(head + "constant 9,4,rounds,1,1\n") ==
        path +
            ":2: schedule: found 'constant 9', allowed is constant 8 (did you mean 'constant "
            "8'?)");
  CHECK(
      contains(fixture.error(head + "constant 8,5,rounds,1,1\n"), ":2: H: found '5', allowed is"));
  CHECK(contains(fixture.error(head + "constant 8,4,round,1,1\n"), "(did you mean 'rounds'?)"));
  CHECK(fixture.error(head + "\nconstant 8,4,rounds,x,1\n") ==
        path + ":3: mean: found 'x', expected a number");
  CHECK(contains(fixture.error(head + "constant 8,4,rounds,,1\n"), ":2: mean: found nothing"));
  CHECK(contains(fixture.error(head + "constant 8,4,rounds,1,1.5\n"), ":2: n: found '1.5'"));
  CHECK(fixture.error(head + "\"constant 8,4,rounds,1,1\n") ==
        path + ":2: a quote does not end on this line");
}

TEST_CASE("cells of CSV files are quoted where they must, and read back") {
  const std::vector<std::string> cells{"", "a, b", "say \"x\"", "plain"};
  CHECK(csv_line(cells) == ",\"a, b\",\"say \"\"x\"\"\",plain\n");
  const ScratchFolder folder;
  write_text(folder.path() / "a.csv", csv_line(cells));
  const std::vector<CsvLine> lines = read_csv_lines(folder.path() / "a.csv");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].cells == cells);
}

}  // namespace localbatch
