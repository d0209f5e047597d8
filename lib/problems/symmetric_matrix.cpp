#include "problems/symmetric_matrix.h"

#include <cmath>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace {

std::vector<double> multiply(const SymmetricMatrix& a, std::span<const double> v) {
  std::vector<double> product(a.rows());
  for (std::size_t i = 0; i < a.rows(); ++i) {
    const auto row = a.row(i);
    product[i] += row[i] * v[i];
    for (std::size_t j = 0; j < i; ++j) {
      product[i] += row[j] * v[j];
      product[j] += row[j] * v[i];
    }
  }
  return product;
}

/// Replaces a by its factor: a = factor factor'.
void factorize(SymmetricMatrix& a) {
  for (std::size_t i = 0; i < a.rows(); ++i) {
    const auto row = a.row(i);
    for (std::size_t j = 0; j <= i; ++j) {
      const auto other = a.row(j);
      double rest = row[j];
      for (std::size_t k = 0; k < j; ++k) rest -= row[k] * other[k];
      check(j < i || rest > 0, "a matrix to solve with is positive definite");
      row[j] = j < i ? rest / other[j] : std::sqrt(rest);
    }
  }
}

}  // namespace

void SymmetricMatrix::add_outer_product(std::span<const float> v, double weight) {
  check(v.size() == rows_, "an outer product has the rows of the matrix");
  double* entry = values_.data();
  for (std::size_t i = 0; i < rows_; ++i) {
    const double factor = weight * double{v[i]};
    for (std::size_t j = 0; j <= i; ++j) entry[j] += factor * double{v[j]};
    entry += i + 1;
  }
}

void SymmetricMatrix::add_to_diagonal(double value) {
  for (std::size_t i = 0; i < rows_; ++i) row(i)[i] += value;
}

double SymmetricMatrix::trace() const {
  double sum = 0;
  for (std::size_t i = 0; i < rows_; ++i) sum += row(i)[i];
  return sum;
}

std::vector<double> solve(SymmetricMatrix a, std::span<const double> right) {
  factorize(a);
  std::vector<double> y(right.begin(), right.end());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto row = a.row(i);
    for (std::size_t k = 0; k < i; ++k) y[i] -= row[k] * y[k];
    y[i] /= row[i];
  }
  for (std::size_t i = y.size(); i-- > 0;) {
    const auto row = a.row(i);
    y[i] /= row[i];
    for (std::size_t k = 0; k < i; ++k) y[k] -= row[k] * y[i];
  }
  return y;
}

double largest_eigenvalue(const SymmetricMatrix& a) {
  constexpr int kMostIterations = 100'000;
  constexpr double kPrecision = 1e-14;
  // The start has no symmetry that could make it orthogonal to the eigenvector.
  std::vector<double> v(a.rows());
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = 1 + 1 / (2 + static_cast<double>(i));
  double eigenvalue = 0;
  for (int iteration = 0; iteration < kMostIterations; ++iteration) {
    double length = 0;
    for (const double entry : v) length += entry * entry;
    if (length == 0) return 0;
    for (double& entry : v) entry /= std::sqrt(length);
    std::vector<double> next = multiply(a, v);
    double quotient = 0;
    for (std::size_t i = 0; i < v.size(); ++i) quotient += v[i] * next[i];
    // The Rayleigh quotient increases monotonically and converges twice as fast as the vector.
    if (quotient <= eigenvalue * (1 + kPrecision)) return quotient;
    eigenvalue = quotient;
    v = std::move(next);
  }
  return eigenvalue;
}

}  // namespace localbatch
