#include "nn/winograd_matrices.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace localbatch::winograd;

TEST_CASE("the one-dimensional transforms give a correlation and its gradient by the weights") {
  const double x[6] = {0.31, -1.7, 0.93, 2.2, -0.41, 1.3};
  const double w[3] = {-0.77, 1.9, 0.58};
  const double dy[4] = {1.1, -0.64, 0.27, -1.8};
  double input[6], weights[6], gradient[6];
  input_points(x, input);
  weight_points(w, weights);
  gradient_points(dy, gradient);
  double product[6], gradient_product[6], y[4], dw[3];
  for (int i = 0; i < 6; ++i) {
    product[i] = weights[i] * input[i];
    gradient_product[i] = gradient[i] * input[i];
  }
  outputs(product, y);
  weight_gradients(gradient_product, dw);
  for (int i = 0; i < 4; ++i) {
    CHECK(std::abs(y[i] - (w[0] * x[i] + w[1] * x[i + 1] + w[2] * x[i + 2])) < 1e-12);
  }
  for (int r = 0; r < 3; ++r) {
    const double expected = dy[0] * x[r] + dy[1] * x[r + 1] + dy[2] * x[r + 2] + dy[3] * x[r + 3];
    CHECK(std::abs(dw[r] - expected) < 1e-12);
  }
}
