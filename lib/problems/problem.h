#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/options.h"
#include "core/shape.h"
#include "problems/noisy_problems.h"

namespace localbatch {

/// What theorems ask of an objective F, and what their claims are measured from.
struct ProblemFacts {
  double smoothness = 0;               ///< L: the gradient's Lipschitz constant
  double strong_convexity = 0;         ///< mu; 0: none, or F is not convex
  double minimum = 0;                  ///< F*
  std::vector<double> minimizer = {};  ///< x*; empty when several are equally good
};

/// An objective whose theory is known: Local SGD runs on it as on a network, and every theorem's
/// claim can be compared with the truth. All is computed in double from parameters in f32.
/// Immutable, so that all workers of a process share one.
class Problem {
 public:
  virtual ~Problem() = default;

  virtual std::size_t dimension() const = 0;

  /// x_0, the same for every worker and seed.
  virtual void initial_point(std::span<float> x) const = 0;

  /// F(x); overwrites `gradient` with the exact one.
  virtual double value(std::span<const float> x, std::span<double> gradient) const = 0;

  const ProblemFacts& facts() const { return facts_; }

  /// |x - x*|^2; empty when there is no minimizer to name.
  std::optional<double> squared_distance(std::span<const float> x) const;

  /// Overwrites `gradient` with the mean of the samples' gradients at x, an unbiased estimate of
  /// the exact one; returns their mean loss. A function of its arguments alone.
  double sampled_gradient(std::span<const float> x, const ProblemBatch& batch,
                          std::span<double> gradient) const;

 protected:
  explicit Problem(const GradientNoise& noise) : noise_(noise) {}

  ProblemFacts facts_;  ///< set by the constructor of the problem

 private:
  /// Of the samples, before noise is added. Without samples of its own a problem has the exact one.
  virtual double batch_gradient(std::span<const float> x, const ProblemBatch& batch,
                                std::span<double> gradient) const;

  GradientNoise noise_;
};

/// The training images of a data set, which must outlive the making of the problem only.
struct LabelledImages {
  ImageShape shape;
  int num_classes = 0;
  std::span<const std::uint8_t> pixels;  ///< [image][channel][row][column]
  std::span<const Label> labels;         ///< [image], below num_classes
};

/// A problem as an experiment file describes it. Making it may take seconds: the minimum is
/// computed. Throws an InputError for images that do not fit its keys.
struct ProblemFactory {
  bool needs_images = false;  ///< else images are not looked at
  /// Whether the workers' mean point is watched after every local step (method.md 3.2 speaks of
  /// it), for which parameters are averaged once more per step.
  bool trace = false;
  std::function<std::unique_ptr<const Problem>(const LabelledImages&)> make;
};

/// quadratic, cosine, logistic_regression, generated_logistic_regression.
std::span<const PartRow<ProblemFactory>> problem_table();

/// Reads `trace`, which all problems have.
bool read_trace(Options& options);

}  // namespace localbatch
