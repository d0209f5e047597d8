#include "problems/symmetric_matrix.h"

#include <doctest/doctest.h>

#include <array>

namespace localbatch {

namespace {

/// 2 on the diagonal and -1 beside it: eigenvalues 2 - 2 cos(pi k/(rows + 1)).
SymmetricMatrix chain(std::size_t rows) {
  SymmetricMatrix matrix(rows);
  matrix.add_to_diagonal(2);
  for (std::size_t i = 1; i < rows; ++i) matrix.row(i)[i - 1] = -1;
  return matrix;
}

}  // namespace

TEST_CASE("linear equations are solved") {
  // (2 -1 0; -1 2 -1; 0 -1 2) (1 2 3)' = (0 0 4)'
  const std::array<double, 3> right = {0, 0, 4};
  const std::vector<double> y = solve(chain(3), right);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(y[i] == doctest::Approx(static_cast<double>(i + 1)).epsilon(1e-14));
}

TEST_CASE("the largest eigenvalue is found") {
  CHECK(largest_eigenvalue(chain(3)) == doctest::Approx(3.4142135623730951).epsilon(1e-12));
  CHECK(largest_eigenvalue(SymmetricMatrix(3)) == 0);
}

TEST_CASE("outer products add up") {
  SymmetricMatrix matrix(2);
  matrix.add_outer_product(std::array{1.0F, 2.0F}, 0.5);
  matrix.add_outer_product(std::array{1.0F, -1.0F}, 1);
  CHECK(matrix.row(0)[0] == 1.5);
  CHECK(matrix.row(1)[0] == 0);
  CHECK(matrix.row(1)[1] == 3);
  CHECK(matrix.trace() == 4.5);
}

}  // namespace localbatch
