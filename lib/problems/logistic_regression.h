#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "problems/binary_features.h"
#include "problems/problem.h"
#include "problems/symmetric_matrix.h"

namespace localbatch {

/// F(w) = (1/n) sum_i log(1 + exp(-s_i <w, a_i>)) + ridge/2 |w|^2 for samples a_i of sign s_i, its
/// smoothness and its minimizer. The ridge shrinks the bias like all weights.
class LogisticLoss {
 public:
  LogisticLoss(BinaryFeatures features, double ridge);

  const BinaryFeatures& features() const { return features_; }

  /// F(w); overwrites `gradient`.
  double value(std::span<const double> w, std::span<double> gradient) const;

  /// The loss and its gradient with the mean over these samples (with repetition) instead of all.
  double value(std::span<const double> w, std::span<const std::uint32_t> samples,
               std::span<double> gradient) const;

  SymmetricMatrix hessian(std::span<const double> w) const;

  /// L = lambda_max(A'A)/(4n) + ridge, the least bound on the Hessian that holds everywhere.
  double smoothness() const;

  /// The minimizer, without ridge the one nearest to zero, by Newton's method from zero to the
  /// precision of double. Empty when there is none: no ridge, and a hyperplane separates the signs.
  std::optional<std::vector<double>> minimizer() const;

 private:
  /// w less `step`, or a part of it that lowers F as much as its slope promises (Armijo).
  std::vector<double> descend(std::span<const double> w, std::span<const double> step,
                              double value_here, double decrement) const;
  bool separates(std::span<const double> w) const;

  BinaryFeatures features_;
  double ridge_;
};

struct LogisticSettings {
  double ridge = 0;             ///< mu; 0 needs data that no hyperplane separates
  bool exact_gradient = false;  ///< over all samples, whatever the batch size
  bool trace = false;
  GradientNoise noise = {};  ///< relative noise needs the exact gradient
};

// Every part can be made from its settings, and from the keys of an experiment file.
ProblemFactory make_logistic_regression(const ImageFeatures& features,
                                        const LogisticSettings& settings);
ProblemFactory make_logistic_regression(Options& options);
ProblemFactory make_generated_logistic_regression(const GeneratedFeatures& features,
                                                  const LogisticSettings& settings);
ProblemFactory make_generated_logistic_regression(Options& options);

}  // namespace localbatch
