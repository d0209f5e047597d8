// When runs reach a target for good, against figures that were worked out by hand. A round of these
// runs has 64 samples, 1000 bytes and 2 seconds, and an evaluation at its end.

#include "report/target.h"

#include <doctest/doctest.h>

#include <cmath>

#include "report/run_files.h"
#include "report/table_formats.h"
#include "report/table_text.h"

namespace localbatch {

namespace {

ResultTable table_of_target(const std::filesystem::path& folder, const std::string& target) {
  return make_table(collect_results({.sources = {folder}}), columns_of(parse_target(target)));
}

/// The figures of the columns for the only run.
std::vector<double> figures(const std::filesystem::path& folder, const std::string& target) {
  std::vector<double> means;
  const ResultTable table = table_of_target(folder, target);
  for (const TableEntry& entry : table.entries.at(0))
    means.push_back(entry.sample ? entry.sample->mean : entry.never > 0 ? kNever : NAN);
  return means;
}

/// Three seeds that keep 0.5 from the second and third evaluation on and never, and a row that
/// never does.
void write_seeds(const std::filesystem::path& runs) {
  const std::vector<std::vector<double>> accuracies{
      {0.4, 0.5, 0.6}, {0.5, 0.4, 0.5}, {0.5, 0.6, 0.49}};
  for (int seed = 1; seed <= 3; ++seed)
    write_run(runs, {.folder = fmt::format("small{}", seed),
                     .seed = seed,
                     .accuracies = accuracies[static_cast<std::size_t>(seed - 1)]});
  write_run(runs, {.folder = "large", .local_batch_size = 16, .accuracies = {0.1, 0.2, 0.3}});
}

}  // namespace

TEST_CASE("a target is reached where it is kept, not where it is touched first") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.6, 0.4, 0.5, 0.7}});
  CHECK(figures(folder.path(), "test_accuracy=0.5") == std::vector<double>{192, 3, 3000, 6});
  CHECK(figures(folder.path(), "test_accuracy=0.4") == std::vector<double>{64, 1, 1000, 2});
  CHECK(figures(folder.path(), "test_accuracy=0.7") == std::vector<double>{256, 4, 4000, 8});
  CHECK(figures(folder.path(), "test_accuracy=0.71") == std::vector<double>(4, kNever));
}

TEST_CASE("losses, perplexities and bits per byte are to be at most the target") {
  const ScratchFolder folder;
  write_run(folder.path(),
            {.folder = "a", .accuracies = {0.1, 0.1, 0.1}, .perplexities = {4, 8, 3.2}});
  CHECK(figures(folder.path(), "test_perplexity=4")[0] == 192);
  CHECK(figures(folder.path(), "test_perplexity=8")[0] == 64);
  CHECK(figures(folder.path(), "test_bits_per_byte=0.4")[0] == 192);  // an eighth of 3.2
  CHECK(figures(folder.path(), "test_bits_per_byte=0.39")[0] == kNever);
  CHECK(figures(folder.path(), "test_loss=2.5")[0] == 64);
  CHECK(figures(folder.path(), "test_loss=2.49")[0] == kNever);
}

TEST_CASE(
    "what is not a number does not keep a target, and what was not measured does not break it") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.5, 0.5, 0.5, 0.5}});
  const auto samples_with = [&folder](const std::string& second) {
    write_text(folder.path() / "a" / "evaluations.csv",
               "round,samples,train_loss,test_loss,test_accuracy\n1,64,1,1,0.5\n2,128,1,1," +
                   second + "\n3,192,1,1,0.5\n4,256,1,1,0.5\n");
    return figures(folder.path(), "test_accuracy=0.5")[0];
  };
  CHECK(samples_with("nan") == 192);
  CHECK(samples_with("") == 64);
}

TEST_CASE("where files do not say what was spent, a run counts neither as early nor as late") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.5}, .has_timing = false});
  CHECK(std::isnan(figures(folder.path(), "test_accuracy=0.5")[3]));
  CHECK(std::isnan(figures(folder.path(), "test_accuracy=0.6")[3]));
  CHECK(figures(folder.path(), "test_accuracy=0.6")[2] == kNever);
}

TEST_CASE("predicted seconds are those of the round that reaches the target") {
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a", .accuracies = {0.6, 0.4, 0.5, 0.7}});
  std::optional<std::map<double, double>> ends{{{1, 10}, {2, 11}, {3, 14}, {4, 19}}};
  const auto predicted = [&](const std::string& target) {
    const ResultColumn column =
        predicted_column(parse_target(target), "1gbit", "by hand", [&](const FinishedRun& run) {
          CHECK(run.path == folder.path() / "a");
          return ends;
        });
    CHECK(column.name == "predicted_seconds_1gbit");
    CHECK(column.title == "predicted seconds, 1gbit");
    CHECK(contains(column.meaning, "predicted, not measured"));
    const ResultTable table = make_table(collect_results({.sources = {folder.path()}}), {column});
    const TableEntry& entry = table.entries.at(0).at(0);
    return entry.sample ? entry.sample->mean : entry.never > 0 ? kNever : -1;
  };
  CHECK(predicted("test_accuracy=0.5") == 14);
  CHECK(predicted("test_accuracy=0.4") == 10);
  CHECK(predicted("test_accuracy=0.8") == kNever);
  ends->erase(3);
  CHECK(predicted("test_accuracy=0.5") == -1);
  ends.reset();
  CHECK(predicted("test_accuracy=0.8") == -1);
}

TEST_CASE("figures are over the seeds that reach the target, and say how many do") {
  const ScratchFolder folder;
  write_seeds(folder.path() / "runs");
  const ResultTable table = table_of_target(folder.path() / "runs", "test_accuracy=0.5");
  const TableEntry& samples = table.entries.at(0).at(0);
  CHECK(samples.sample->mean == 160);                                        // of 128 and 192
  CHECK(*samples.sample->standard_deviation == doctest::Approx(45.254834));  // 64 / sqrt(2)
  CHECK(samples.sample->n == 2);
  CHECK(samples.never == 1);
  const std::string markdown = to_markdown(page_of(table));
  CHECK(
      contains(markdown,
               "| constant 8 | 3 | 160.0 ± 45.3 (2 of 3) | 2.5 ± 0.7 (2 of 3) | 0.00250 ± 0.00071 "
               "(2 of 3) | 5.00 ± 1.41 (2 of 3) |\n"
               "| constant 16 | 1 | - (0 of 1) | - (0 of 1) | - (0 of 1) | - (0 of 1) |\n"));
  CHECK(contains(markdown, "- target: test\\_accuracy >= 0.5 at an evaluation and at all later"));
  CHECK(contains(to_latex(page_of(table)), "160.0 $\\pm$ 45.3 (2 of 3)"));
  const std::string csv = to_csv(table);
  CHECK(contains(csv,
                 ",target_samples_mean,target_samples_standard_deviation,target_samples_best,"
                 "target_samples_reached,target_samples_not_reached,target_rounds_mean,"));
  CHECK(contains(csv, ",target_seconds_not_reached,target,folders,"));
  CHECK(contains(csv, "constant 8,H = 4,3,3,1; 2; 3,,,160,45.254833995939045,,2,1,2.5,"));
  CHECK(
      contains(csv, "constant 16,H = 4,1,1,1,,,,,,0,1,,,,0,1,,,,0,1,,,,0,1,test_accuracy >= 0.5,"));
}

TEST_CASE("of unfinished runs a target is told as far as they are") {
  const ScratchFolder folder;
  write_run(folder.path(),
            {.folder = "a", .accuracies = {0.4, 0.5}, .outcome = "", .rounds_left = 1});
  Results results = collect_results({.sources = {folder.path()}, .unfinished = true});
  const auto shown = [&results](const std::string& target) {
    return page_of(make_table(results, columns_of(parse_target(target)))).tables[0].rows[0][2].text;
  };
  CHECK(shown("test_accuracy=0.5") == "128 (1 of 1) (so far)");
  CHECK(shown("test_accuracy=0.6") == "- (0 of 1) (so far)");
}

TEST_CASE("a row whose seeds do not all reach a target is not the best for those that do") {
  const ScratchFolder folder;
  for (int seed = 1; seed <= 3; ++seed) {
    write_run(folder.path(), {.folder = fmt::format("early{}", seed),
                              .seed = seed,
                              .accuracies = {0.5, 0.5, seed == 3 ? 0.4 : 0.5}});
    write_run(folder.path(), {.folder = fmt::format("late{}", seed),
                              .seed = seed,
                              .local_batch_size = 16,
                              .accuracies = {0.1, 0.1, 0.5}});
  }
  const auto is_best = [&folder](const std::string& target, std::size_t cell) {
    return table_of_target(folder.path(), target).entries.at(cell).at(0).best;
  };
  CHECK_FALSE(is_best("test_accuracy=0.5", 0));
  CHECK_FALSE(is_best("test_accuracy=0.5", 1));
  CHECK(is_best("test_accuracy=0.4", 0));
}

TEST_CASE("targets that cannot be read or were not measured are refused") {
  const auto refused = [](const std::string& text) {
    return input_error([&text] { parse_target(text); });
  };
  CHECK(contains(refused("test_acuracy=0.9"), "(did you mean 'test_accuracy'?)"));
  CHECK(contains(refused("test_accuracy"), "expected COLUMN=VALUE"));
  CHECK(contains(refused("test_accuracy=90"), "found '90', expected a number from 0 to 1"));
  for (const char* const value : {"", "x", "1x", "nan", "inf", "1e999"})
    CHECK(contains(refused(fmt::format("test_loss={}", value)),
                   fmt::format("--target: test_loss: found '{}', expected a number", value)));
  const ScratchFolder folder;
  write_run(folder.path(), {.folder = "a"});
  const Results results = collect_results({.sources = {folder.path()}});
  CHECK(
      contains(input_error([&] { check_is_measured(parse_target("test_perplexity=9"), results); }),
               "which no run here measures; allowed is test_accuracy | test_loss"));
  check_is_measured(parse_target("test_loss=9"), results);
  check_is_measured(parse_target("test_perplexity=9"), Results());
}

}  // namespace localbatch
