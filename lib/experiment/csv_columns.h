#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace localbatch {

/// The cells of a CSV file that a run has written, by column. A last line without its end, which is
/// being written, is left out.
class CsvColumns {
 public:
  /// Throws an InputError that names the file and line of a row with too few or too many cells.
  explicit CsvColumns(const std::filesystem::path& path);

  std::size_t num_rows() const { return num_rows_; }
  bool has(const std::string& name) const { return columns_.contains(name); }

  /// Throws an InputError for a column that the file does not have.
  const std::vector<std::string>& cells(const std::string& name) const;

  /// Nothing for an empty cell: it was not measured. Throws an InputError with file and line for
  /// what is no number; `nan` and `inf` are.
  std::vector<std::optional<double>> numbers(const std::string& name) const;

  /// The same where every cell has to be a number.
  std::vector<double> all_numbers(const std::string& name) const;

 private:
  std::filesystem::path path_;
  std::size_t num_rows_ = 0;
  std::map<std::string, std::vector<std::string>> columns_;
};

/// Of a column in which every cell has to be a number.
double sum_of(const CsvColumns& columns, const std::string& name);

}  // namespace localbatch
