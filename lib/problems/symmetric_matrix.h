#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace localbatch {

/// A small dense symmetric matrix in double, of which only the lower triangle is stored, row by
/// row. The algorithms are plain and deterministic, and meant for some hundreds of rows.
class SymmetricMatrix {
 public:
  explicit SymmetricMatrix(std::size_t rows) : rows_(rows), values_(rows * (rows + 1) / 2) {}

  std::size_t rows() const { return rows_; }
  /// Entries 0 .. i of row i.
  std::span<double> row(std::size_t i) { return {values_.data() + i * (i + 1) / 2, i + 1}; }
  std::span<const double> row(std::size_t i) const {
    return {values_.data() + i * (i + 1) / 2, i + 1};
  }

  /// Adds weight v v'.
  void add_outer_product(std::span<const float> v, double weight);
  void add_to_diagonal(double value);
  double trace() const;

 private:
  std::size_t rows_;
  std::vector<double> values_;
};

/// The solution y of (a) y = right, by Cholesky's factorization. `a` must be positive definite.
std::vector<double> solve(SymmetricMatrix a, std::span<const double> right);

/// The largest eigenvalue of a positive semidefinite matrix, to twelve digits or more, by power
/// iteration with a fixed start.
double largest_eigenvalue(const SymmetricMatrix& a);

}  // namespace localbatch
