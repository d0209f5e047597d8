#pragma once

#include <fmt/core.h>

#include <span>
#include <string>
#include <string_view>

#include "bench/measure_convolutions.h"
#include "bench/measure_data.h"
#include "bench/measure_synchronization.h"
#include "bench/measure_training.h"
#include "bench/tune_kernels.h"

namespace localbatch {

/// A column of a table for people, aligned to the right.
template <class Row>
struct TableColumn {
  std::string_view title;
  int width;
  std::string (*text)(const Row&);
};

/// Widths are fixed, so lines can be printed as they come in.
template <class Row>
std::string titles(std::span<const TableColumn<Row>> columns) {
  std::string line;
  for (const TableColumn<Row>& column : columns)
    line += fmt::format("{:>{}}", column.title, column.width);
  return line + "\n";
}
template <class Row>
std::string line_of(std::span<const TableColumn<Row>> columns, const Row& row) {
  std::string line;
  for (const TableColumn<Row>& column : columns)
    line += fmt::format("{:>{}}", column.text(row), column.width);
  return line + "\n";
}

// "-" stands where nothing was measured.
std::span<const TableColumn<TrainingSpeed>> training_columns();
std::span<const TableColumn<TrainingSpeed>> phase_columns();  ///< milliseconds of a step
std::span<const TableColumn<ConvolutionSpeed>> convolution_columns();
std::span<const TableColumn<TunedConvolution>> kernel_columns();
std::span<const TableColumn<SynchronizationSpeed>> synchronization_columns();
std::span<const TableColumn<DataSpeed>> data_columns();

}  // namespace localbatch
