#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/batch.h"
#include "core/options.h"

namespace localbatch {

/// The constants of theorems about an objective F, and its minimum, from which claims are measured.
struct ProblemFacts {
  double smoothness = 0;               ///< L: the gradient's Lipschitz constant
  double strong_convexity = 0;         ///< mu; 0: F is not strongly convex
  double minimum = 0;                  ///< F*
  std::vector<double> minimizer = {};  ///< x*; empty when several are equally good
};

/// Samples number `first` .. `first + size - 1` of those that a worker draws in a run.
struct ProblemBatch {
  std::uint64_t seed = 1;
  int worker = 0;
  std::int64_t first = 0;
  int size = 1;
};

/// Noise by formula, added to the mean gradient g of a batch of b samples. Both kinds have mean
/// zero, are independent of each other and from batch to batch, and equal in all directions.
struct GradientNoise {
  /// s2: normal, with variance s2/b in every coordinate of g. The sum of b independent normal
  /// samples is drawn at once, so its cost does not depend on b.
  double variance = 0;
  /// eta: of length exactly eta |g|, whatever b is. With g the exact gradient this is the norm test
  /// of theory met with equality, E|noise|^2 = eta^2 |grad F|^2 (method.md 2.1 and 3.2).
  double relative = 0;
};

void add_noise(const GradientNoise& noise, const ProblemBatch& batch, std::span<double> gradient);

/// An objective whose theory is known: Local SGD runs on it as on a network, and every theorem's
/// claim can be compared with the truth. Everything is computed in double from parameters in f32.
/// A problem is immutable, so that all workers of a process share one.
class Problem {
 public:
  virtual ~Problem() = default;

  virtual std::size_t dimension() const = 0;

  /// Bytes of the samples that it holds.
  virtual std::size_t data_bytes() const { return 0; }

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
  /// The mean gradient of the samples, before noise is added. A problem without samples of its own
  /// returns the exact gradient.
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

/// Makes a problem, which may take seconds, as the minimum is computed. Throws an InputError for
/// images that do not fit its settings.
struct ProblemFactory {
  bool needs_images = false;  ///< otherwise `make` ignores the images
  /// Whether the workers' mean point is watched after every local step (method.md 3.2 speaks of
  /// it), for which parameters are averaged once more per step.
  bool trace = false;
  std::function<std::unique_ptr<const Problem>(const LabelledImages&)> make;
};

std::span<const PartRow<ProblemFactory>> problem_table();

/// Reads `trace`, which all problems have.
bool read_trace(Options& options);

/// Reads `noise_variance` and `relative_noise`.
GradientNoise read_gradient_noise(Options& options);

}  // namespace localbatch
