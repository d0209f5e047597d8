#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/output_file.h"

namespace localbatch {

/// One column of a CSV file: the same table writes the header, the cells and the documentation.
template <class Row>
struct CsvColumn {
  std::string_view name;
  std::string_view unit;  ///< "" for pure numbers and names
  std::string_view meaning;
  std::string (*cell)(const Row&);  ///< empty: not measured
};

/// A CSV file that grows by whole rows. A row is on its way to the disk when `write` returns.
/// Throws a SystemError that names the path when it cannot be written.
class CsvFile {
 public:
  /// Begins a file; or goes on with one behind its first `size` bytes and cuts off the rest.
  CsvFile(const std::filesystem::path& path, const std::vector<std::string>& header,
          std::optional<std::uint64_t> size = {});

  void write(const std::vector<std::string>& cells);

  OutputFile& file() { return file_; }

 private:
  OutputFile file_;
};

/// A CSV file with the columns of a table.
template <class Row>
class CsvTable {
 public:
  CsvTable(const std::filesystem::path& path, std::span<const CsvColumn<Row>> columns,
           std::optional<std::uint64_t> size = {})
      : columns_(columns), file_(path, names(columns), size) {}

  void write(const Row& row) {
    std::vector<std::string> cells;
    for (const CsvColumn<Row>& column : columns_) cells.push_back(column.cell(row));
    file_.write(cells);
  }

  OutputFile& file() { return file_.file(); }

 private:
  static std::vector<std::string> names(std::span<const CsvColumn<Row>> columns) {
    std::vector<std::string> names;
    for (const CsvColumn<Row>& column : columns) names.emplace_back(column.name);
    return names;
  }

  std::span<const CsvColumn<Row>> columns_;
  CsvFile file_;
};

}  // namespace localbatch
