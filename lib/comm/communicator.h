#pragma once

#include <span>
#include <stdexcept>

namespace localbatch {

/// Thrown by a collective when another worker of the same process has failed; that worker's own
/// exception is the one to report.
struct Abandoned : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The collectives that Local SGD needs, not MPI's, as one worker sees them. Every worker calls the
/// same collectives in the same order. Sums are taken in the order of the worker index, whatever
/// hosts the workers, so their bits are a function of the values alone. One worker alone is the
/// identity.
///
/// When another worker of this process has failed, a collective throws Abandoned.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int worker() const = 0;       ///< 0 .. num_workers() - 1
  virtual int num_workers() const = 0;  ///< M

  /// mean = (1/M) sum over workers of mine, summed in double, divided by M and rounded to f32. Any
  /// NaN becomes the same NaN. The two arrays may be the same one.
  virtual void average(std::span<const float> mine, std::span<float> mean) = 0;

  /// Replaces every value by its sum over the workers.
  virtual void sum(std::span<double> values) = 0;
};

}  // namespace localbatch
