#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace localbatch {

/// The cell of a value: numbers in as many digits as tell them apart, nothing for what was not
/// measured.
template <class Value>
std::string csv_cell(const Value& value) {
  return fmt::format("{}", value);
}

template <class Value>
std::string csv_cell(const std::optional<Value>& value) {
  return value ? csv_cell(*value) : std::string();
}

/// One column of a CSV file: one table of columns writes the header, the cells and the
/// documentation.
template <class Row>
struct CsvColumn {
  std::string_view name;
  std::string_view unit;  ///< "" for pure numbers and names
  std::string_view meaning;
  std::string (*cell)(const Row&);  ///< empty: not measured
};

/// The beginning of a CSV file, by which a run that goes on knows its own rows again.
struct CsvBeginning {
  std::uint64_t size = 0;      ///< bytes
  std::uint64_t checksum = 0;  ///< of the lines, each with what was before it
};

/// A CSV file that grows by whole rows. A row is on its way to the disk when `write` returns.
/// Throws a SystemError that names the path when it cannot be written.
class CsvFile {
 public:
  /// Begins a file; or goes on with one behind what was `written` and cuts off the rest. Throws an
  /// InputError that names the path when that is not there as it was written.
  CsvFile(const std::filesystem::path& path, const std::vector<std::string>& header,
          const std::optional<CsvBeginning>& written = {});

  /// What going on with a file would throw of its bytes, before anything is cut off.
  static void check(const std::filesystem::path& path, const std::vector<std::string>& header,
                    const CsvBeginning& written);

  void write(const std::vector<std::string>& cells);

  CsvBeginning written() const { return {.size = file_.size(), .checksum = checksum_}; }
  void sync() { file_.sync(); }

 private:
  OutputFile file_;
  std::uint64_t checksum_ = 0;
};

/// A CSV file with the columns of a table.
template <class Row>
class CsvTable {
 public:
  CsvTable(const std::filesystem::path& path, std::span<const CsvColumn<Row>> columns,
           const std::optional<CsvBeginning>& written = {})
      : columns_(columns), file_(path, names(columns), written) {}

  static void check(const std::filesystem::path& path, std::span<const CsvColumn<Row>> columns,
                    const CsvBeginning& written) {
    CsvFile::check(path, names(columns), written);
  }

  void write(const Row& row) {
    std::vector<std::string> cells;
    for (const CsvColumn<Row>& column : columns_) cells.push_back(column.cell(row));
    file_.write(cells);
  }

  CsvFile& file() { return file_; }

 private:
  static std::vector<std::string> names(std::span<const CsvColumn<Row>> columns) {
    std::vector<std::string> names;
    for (const CsvColumn<Row>& column : columns) names.emplace_back(column.name);
    return names;
  }

  std::span<const CsvColumn<Row>> columns_;
  CsvFile file_;
};

/// The cells of a CSV file that a run has written, by column. A last line without its end, which is
/// being written, is left out.
class CsvColumns {
 public:
  /// Throws an InputError that names the file and line of a column that is there twice, and of a
  /// row with too few or too many cells.
  explicit CsvColumns(const std::filesystem::path& path);

  std::size_t num_rows() const { return num_rows_; }
  const std::vector<std::string>& names() const { return names_; }  ///< in the file's order
  bool has(const std::string& name) const { return columns_.contains(name); }

  /// Throws an InputError for a column that the file does not have.
  const std::vector<std::string>& cells(const std::string& name) const;

  /// The numbers of a column; an empty cell was not measured. Throws an InputError with file and
  /// line for what is no number; `nan` and `inf` are.
  std::vector<std::optional<double>> numbers(const std::string& name) const;

  /// The numbers of a column in which every cell has to be a finite number.
  std::vector<double> all_numbers(const std::string& name) const;

  /// The numbers of a column that says how far a run is: rounds, samples. They are not negative,
  /// not above 2^53, and none is below the one before.
  std::vector<double> positions(const std::string& name) const;

 private:
  std::filesystem::path path_;
  std::size_t num_rows_ = 0;
  std::vector<std::string> names_;
  std::map<std::string, std::vector<std::string>> columns_;
};

/// The columns of a file; nothing where it is not there, or has no line that has ended: the run has
/// just begun, or the host lost its power before the line was on the disk.
std::optional<CsvColumns> columns_if_begun(const std::filesystem::path& path);

/// The sum of a column in which every cell has to be a number.
double sum_of(const CsvColumns& columns, const std::string& name);

/// A line of a CSV file with its end, for people and their spreadsheets: cells are printable() and,
/// where they hold commas or quotes, quoted (RFC 4180). A text that a spreadsheet would compute, as
/// it begins with one of =+-@ and is no number, gets an apostrophe before it, as one types it
/// there.
std::string csv_line(const std::vector<std::string>& cells);

/// A line of a file and its number, from 1.
struct CsvLine {
  int number = 1;
  std::vector<std::string> cells;
};

/// The lines that are not empty, with cells that may be quoted. Throws an InputError with file and
/// line for a quote that does not end on its line.
std::vector<CsvLine> read_csv_lines(const std::filesystem::path& path);

}  // namespace localbatch
