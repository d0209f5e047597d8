#pragma once

#include <cstddef>

#include "problems/problem.h"

namespace localbatch {

// Objectives by formula, without data; gradients are noisy by formula, too.

/// F(x) = 1/2 sum_i lambda_i x_i^2 with lambda_i in a geometric progression.
struct QuadraticSettings {
  std::size_t dimension = 20;
  double smallest_eigenvalue = 0.1;
  double largest_eigenvalue = 1;
  double start = 1;  ///< every coordinate of the first point
  bool trace = false;
  GradientNoise noise = {};
};

/// F(x) = sum_i (1 - cos x_i). The Hessian is diagonal with entries cos x_i in [-1, 1], so L = 1,
/// and F is not convex. F* = 0 at every point whose coordinates are multiples of 2 pi.
struct CosineSettings {
  std::size_t dimension = 20;
  double start = 2.5;  ///< every coordinate of the first point
  bool trace = false;
  GradientNoise noise = {};
};

// Every part can be made from its settings, and from the keys of an experiment file.
ProblemFactory make_quadratic(const QuadraticSettings& settings);
ProblemFactory make_quadratic(Options& options);
ProblemFactory make_cosine(const CosineSettings& settings);
ProblemFactory make_cosine(Options& options);

}  // namespace localbatch
