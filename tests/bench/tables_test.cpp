#include "bench/tables.h"

#include <doctest/doctest.h>

#include "bench/training_speed.h"

using namespace localbatch;

namespace {

TrainingSpeed speed_on_tokens() {
  TrainingSpeed speed = training_speed();
  speed.network = find_bench_network("llama_4x128", "here");
  return speed;
}

ConvolutionSpeed convolution_speed() {
  return {.network = bench_networks().front(),
          .execution = {},
          .convolution = {.shape = {.src = {16, 8, 4}, .channels = 32}, .layers = 5},
          .forward = 3e11,
          .backward_data = {},
          .backward_weights = 1e11,
          .foreign_load = {}};
}

TunedConvolution tuned_convolution() {
  return {.shape = {.src = {16, 8, 4}, .channels = 32, .kernel = 3, .stride = 1, .padding = 1},
          .candidates = {{{true, 12}, 0.002}, {{false, 3}, 0.0015}},
          .chosen = 1};
}

/// That a line has a cell for every title, all ending where their titles end.
template <class Row>
void check_aligned(std::span<const TableColumn<Row>> columns, const Row& row) {
  const std::string first = titles(columns), second = line_of(columns, row);
  CAPTURE(first + second);
  CHECK(first.size() == second.size());
  std::size_t end = 0;
  for (const TableColumn<Row>& column : columns) {
    end += static_cast<std::size_t>(column.width);
    CHECK(first[end - 1] != ' ');
    CHECK(second[end - 1] != ' ');
    CHECK(second[end - static_cast<std::size_t>(column.width)] == ' ');
  }
}

}  // namespace

TEST_CASE("tables are aligned") {
  check_aligned(training_columns(), training_speed());
  check_aligned(training_columns(), speed_on_tokens());
  check_aligned(phase_columns(), training_speed());
  check_aligned(convolution_columns(), convolution_speed());
  SynchronizationSpeed synchronization;
  synchronization.network = bench_networks().front();
  check_aligned(synchronization_columns(), synchronization);
  check_aligned(data_columns(), DataSpeed{});
  check_aligned(kernel_columns(), tuned_convolution());
}

TEST_CASE("tables show the numbers in the units of their titles") {
  const std::string train = line_of(training_columns(), training_speed());
  for (const char* const part :
       {"resnet20", " 128", " bf16", " 1234.5         - ", " 1300.0", " 87.5", " 512"})
    CHECK_MESSAGE(train.find(part) != std::string::npos, train);
  const std::string tokens = line_of(training_columns(), speed_on_tokens());
  CHECK_MESSAGE((tokens.find(" -    316032    332800 ") != std::string::npos), tokens);
  const std::string conv = line_of(convolution_columns(), convolution_speed());
  for (const char* const part : {" 16x8x4 -> 32, 1x1/1", " 300 ", " - ", " 100\n"})
    CHECK_MESSAGE((conv.find(part) != std::string::npos), conv);
  const std::string kernels = line_of(kernel_columns(), tuned_convolution());
  for (const char* const part :
       {" winograd, 12 images ", " 2.000 ", " direct, 3 images ", " 1.500\n"})
    CHECK_MESSAGE((kernels.find(part) != std::string::npos), kernels);
}
