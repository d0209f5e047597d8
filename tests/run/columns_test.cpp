#include "run/columns.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>

#include "core/file_fixtures.h"
#include "experiment/fixtures.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace {

template <class Row>
std::string header(std::span<const CsvColumn<Row>> columns) {
  std::string line;
  for (const CsvColumn<Row>& column : columns) {
    if (!line.empty()) line += ',';
    line += column.name;
  }
  return line;
}

template <class Row>
std::map<std::string, std::string> cells(std::span<const CsvColumn<Row>> columns, const Row& row) {
  std::map<std::string, std::string> cells;
  for (const CsvColumn<Row>& column : columns) cells[std::string(column.name)] = column.cell(row);
  return cells;
}

template <class Row>
void check_documented(std::span<const CsvColumn<Row>> columns) {
  std::set<std::string_view> names;
  for (const CsvColumn<Row>& column : columns) {
    CAPTURE(column.name);
    CHECK(names.insert(column.name).second);
    CHECK(column.meaning.size() > 2);
    CHECK(column.name.find_first_of(", \"\n") == std::string_view::npos);
  }
}

/// A round whose numbers are all different.
RoundRow tested_round() {
  const GradientStatistics statistics{.num_workers = 4,
                                      .num_chunks = 4,
                                      .global_batch_size = 32,
                                      .variance = 0.1,
                                      .squared_norm = 1.0 / 3,
                                      .inner_product_variance = 1e-300,
                                      .orthogonal_variance = 0};
  return {.record = {.round = 12,
                     .samples = 3456,
                     .local_steps = 5,
                     .local_batch_size = 8,
                     .learning_rate = 0.05,
                     .loss = 2.302585092994046,
                     .drift = std::numeric_limits<double>::denorm_min(),
                     .gradient_norm = 0.7,
                     .clipped_steps = 3,
                     .statistics = statistics,
                     .wanted = {.local_batch_size = 9.25,
                                .reason = Reason::kGrow,
                                .test = Inequality{0.7, 0.6},
                                .orthogonality = Inequality{0, 0.4}},
                     .decision = {.next = 10, .reason = Reason::kRounding}},
          .epoch = 17.28,
          .workers = 4,
          .method_bytes = 123456789012};
}

}  // namespace

TEST_CASE("the columns of a run are fixed") {
  CHECK(kSchemaVersion == 1);
  CHECK(header(round_columns()) ==
        "round,samples,epoch,sync_interval,local_batch_size,global_batch_size,learning_rate,loss,"
        "drift,chunks,variance,squared_norm,inner_product_variance,orthogonal_variance,"
        "test_statistic,test_threshold,orthogonality_statistic,orthogonality_threshold,passing_eta,"
        "passing_theta,passing_nu,wanted_local_batch_size,next_local_batch_size,reason,"
        "method_bytes,measured_variance,measured_squared_norm,payload_residual,gradient_norm,"
        "clipped_steps,variance_standard_error");
  CHECK(header(evaluation_columns()) ==
        "round,samples,epoch,train_loss,test_loss,test_accuracy,test_correct,test_images,"
        "local_batch_size,sync_interval,suboptimality,squared_distance,squared_gradient_norm,"
        "mean_suboptimality,mean_squared_gradient_norm,test_tokens,test_perplexity,"
        "test_bits_per_byte,validation_loss,validation_accuracy,averaged_test_loss,"
        "averaged_test_accuracy");
  CHECK(header(timing_columns()) ==
        "round,total_seconds,slot_seconds,data_seconds,gradient_seconds,optimizer_seconds,"
        "communication_seconds,evaluation_seconds,forward_seconds,backward_seconds,statistics_"
        "seconds,waiting_seconds,tokens_per_second");
}

TEST_CASE("columns are unique and documented") {
  check_documented(round_columns());
  check_documented(evaluation_columns());
  check_documented(timing_columns());
  check_documented(controller_columns());
  check_documented(audit_columns());
}

TEST_CASE("every reason that a round can give stands in the documentation of its column") {
  const auto columns = round_columns();
  const auto column = std::ranges::find_if(
      columns, [](const auto& candidate) { return candidate.name == "reason"; });
  for (const Reason reason :
       {Reason::kFixed, Reason::kNotDue, Reason::kPass, Reason::kGrow, Reason::kShrink,
        Reason::kTooFewChunks, Reason::kZeroGradient, Reason::kNonFinite, Reason::kHysteresis,
        Reason::kCap, Reason::kFloor, Reason::kRounding, Reason::kGrowthLimit})
    CHECK(contains(std::string(column->meaning), std::string(to_string(reason))));
}

TEST_CASE("a cell holds its number, to the last bit") {
  const auto cell = cells(round_columns(), tested_round());
  const std::map<std::string, double> expected = {
      {"round", 12},
      {"samples", 3456},
      {"epoch", 17.28},
      {"sync_interval", 5},
      {"local_batch_size", 8},
      {"global_batch_size", 32},
      {"learning_rate", 0.05},
      {"loss", 2.302585092994046},
      {"drift", std::numeric_limits<double>::denorm_min()},
      {"chunks", 4},
      {"variance", 0.1},
      {"squared_norm", 1.0 / 3},
      {"inner_product_variance", 1e-300},
      {"orthogonal_variance", 0},
      {"test_statistic", 0.7},
      {"test_threshold", 0.6},
      {"orthogonality_statistic", 0},
      {"orthogonality_threshold", 0.4},
      {"wanted_local_batch_size", 9.25},
      {"next_local_batch_size", 10},
      {"method_bytes", 123456789012},
      {"gradient_norm", 0.7},
      {"clipped_steps", 3},
  };
  for (const auto& column : expected) {
    CAPTURE(column.first);
    REQUIRE_FALSE(cell.at(column.first).empty());
    CHECK(std::strtod(cell.at(column.first).c_str(), nullptr) == column.second);
  }
  CHECK(cell.at("reason") == "rounding");
  CHECK(std::stod(cell.at("passing_eta")) == doctest::Approx(std::sqrt(0.1 / 32 * 3)));
  CHECK(cell.at("passing_nu") == "0");
}

TEST_CASE("what was not measured is an empty cell and never 0") {
  RoundRow row = tested_round();
  row.record.statistics.reset();
  row.record.wanted = {.reason = Reason::kNotDue};
  row.record.decision = {.next = 8, .reason = Reason::kNotDue};
  const std::set<std::string> empty = {"chunks",
                                       "variance",
                                       "squared_norm",
                                       "inner_product_variance",
                                       "orthogonal_variance",
                                       "test_statistic",
                                       "test_threshold",
                                       "orthogonality_statistic",
                                       "orthogonality_threshold",
                                       "passing_eta",
                                       "passing_theta",
                                       "passing_nu",
                                       "wanted_local_batch_size",
                                       "measured_variance",
                                       "measured_squared_norm",
                                       "payload_residual",
                                       "variance_standard_error"};
  for (const auto& cell : cells(round_columns(), row)) {
    CAPTURE(cell.first);
    CHECK(cell.second.empty() == empty.contains(cell.first));
  }
}

TEST_CASE("one chunk has no variance: the count is there, the statistics are empty") {
  RoundRow row = tested_round();
  row.record.statistics = GradientStatistics{.num_chunks = 1, .global_batch_size = 8};
  row.record.wanted = {.reason = Reason::kTooFewChunks};
  const auto cell = cells(round_columns(), row);
  CHECK(cell.at("chunks") == "1");
  for (const char* const name : {"variance", "squared_norm", "inner_product_variance",
                                 "orthogonal_variance", "passing_eta", "wanted_local_batch_size"})
    CHECK(cell.at(name).empty());
}

TEST_CASE("an evaluation's cells hold its numbers") {
  const EvaluationRow row{.round = 3,
                          .samples = 100,
                          .epoch = 0.1,
                          .train_loss = 1.0 / 3,
                          .test = {.loss = 2.0 / 3, .correct = 1, .images = 7},
                          .local_batch_size = 8,
                          .sync_interval = 2};
  const auto cell = cells(evaluation_columns(), row);
  CHECK(std::strtod(cell.at("train_loss").c_str(), nullptr) == 1.0 / 3);
  CHECK(std::strtod(cell.at("test_loss").c_str(), nullptr) == 2.0 / 3);
  CHECK(std::strtod(cell.at("test_accuracy").c_str(), nullptr) == 1.0 / 7);
  CHECK(cell.at("round") == "3");
  CHECK(cell.at("samples") == "100");
  CHECK(cell.at("test_correct") == "1");
  CHECK(cell.at("test_images") == "7");
  CHECK(cell.at("local_batch_size") == "8");
  CHECK(cell.at("sync_interval") == "2");
  CHECK(cell.at("validation_loss").empty());
  CHECK(cell.at("validation_accuracy").empty());
  CHECK(cell.at("averaged_test_loss").empty());
  CHECK(cell.at("averaged_test_accuracy").empty());
}

TEST_CASE("what the mean over rounds says has columns of its own") {
  const EvaluationRow row{.test = {.loss = 2},
                          .averaged = SetResult{.loss = 1.5, .correct = 3, .targets = 4}};
  const auto cell = cells(evaluation_columns(), row);
  CHECK(cell.at("averaged_test_loss") == "1.5");
  CHECK(cell.at("averaged_test_accuracy") == "0.75");
  CHECK(cell.at("test_loss") == "2");
}

TEST_CASE("what held-out samples say has columns of its own") {
  const EvaluationRow row{
      .test = {.loss = 2, .validation = SetResult{.loss = 0.5, .correct = 3, .targets = 8}}};
  const auto cell = cells(evaluation_columns(), row);
  CHECK(cell.at("validation_loss") == "0.5");
  CHECK(cell.at("validation_accuracy") == "0.375");
  CHECK(cell.at("test_loss") == "2");
}

TEST_CASE("what is known of texts alone is empty for images, and their images for texts") {
  EvaluationRow row{.test = {.loss = 2, .correct = 1, .images = 7}};
  for (const char* const name : {"test_tokens", "test_perplexity", "test_bits_per_byte"})
    CHECK(cells(evaluation_columns(), row).at(name).empty());

  row.test = {.loss = 2, .correct = 3, .tokens = 12};
  auto cell = cells(evaluation_columns(), row);
  CHECK(cell.at("test_images").empty());
  CHECK(cell.at("test_tokens") == "12");
  CHECK(cell.at("test_correct") == "3");
  CHECK(cell.at("test_accuracy") == "0.25");
  CHECK(std::stod(cell.at("test_perplexity")) == doctest::Approx(std::exp(2.0)));
  CHECK(cell.at("test_bits_per_byte").empty());  // who knows how long a token is

  // Four bytes a token: 2 nats are 2/ln 2 bits for these four.
  row.test.bytes_per_token = 4;
  cell = cells(evaluation_columns(), row);
  CHECK(std::stod(cell.at("test_bits_per_byte")) == doctest::Approx(2 / (4 * std::log(2.0))));
}

TEST_CASE("a timing's cells hold its seconds to six digits") {
  const TimingRow row{.round = 9,
                      .total = 1,
                      .slot = 2,
                      .data = 3,
                      .gradient = 4,
                      .optimizer = 5,
                      .communication = 6,
                      .evaluation = 7,
                      .forward = 0.12345678,
                      .backward = 8.5,
                      .statistics = 0.25,
                      .waiting = 5.75};
  CHECK(cells(timing_columns(), row).at("tokens_per_second").empty());
  TimingRow of_text = row;
  of_text.total = 9;
  of_text.tokens = 25;
  CHECK(cells(timing_columns(), of_text).at("tokens_per_second") == "12.5");
  const std::map<std::string, std::string> expected = {
      {"round", "9"},
      {"total_seconds", "1.000000"},
      {"slot_seconds", "2.000000"},
      {"data_seconds", "3.000000"},
      {"gradient_seconds", "4.000000"},
      {"optimizer_seconds", "5.000000"},
      {"communication_seconds", "6.000000"},
      {"evaluation_seconds", "7.000000"},
      {"forward_seconds", "0.123457"},
      {"backward_seconds", "8.500000"},
      {"statistics_seconds", "0.250000"},
      {"waiting_seconds", "5.750000"},
      {"tokens_per_second", ""},
  };
  CHECK(cells(timing_columns(), row) == expected);
}

TEST_CASE("a row is in the file when it was written, and the header before it") {
  const ScratchFolder folder;
  const std::filesystem::path path = folder.path() / "timing.csv";
  CsvTable<TimingRow> table(path, timing_columns());
  const std::string header_line = header(timing_columns()) + "\n";
  CHECK(text_of(path) == header_line);
  table.write({.round = 1, .total = 0.5});
  CHECK(text_of(path) == header_line +
                             "1,0.500000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0."
                             "000000,0.000000,0.000000,0.000000,\n");
}

TEST_CASE("a CSV file that cannot be made or filled is a SystemError with its path") {
  const auto message = [](const std::string& path) -> std::string {
    try {
      CsvFile file(path, {"a", "b"});
    } catch (const SystemError& error) {
      return error.what();
    }
    return "(no SystemError)";
  };
  CHECK(one_line_with(message("/no/such/folder/a.csv"), {"/no/such/folder/a.csv", "No such file"}));
  const ScratchFolder scratch;
  const std::string path = (scratch.path() / "a.csv").string();
  const FileSizeLimit limit(0);
  CHECK(one_line_with(message(path), {path, "File too large"}));
}

}  // namespace localbatch
