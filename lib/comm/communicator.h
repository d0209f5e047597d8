#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

#include "comm/ledger.h"
#include "comm/mailbox.h"
#include "comm/payload.h"
#include "core/stopwatch.h"

namespace localbatch {

/// Thrown by a collective when another worker of the same process has failed; that worker's own
/// exception is the one to report.
struct Abandoned : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An array of which every worker has one of the same length, and the place of the mean over the
/// workers, which may be the array itself.
struct Averaged {
  std::span<const float> mine;
  std::span<float> mean;
  Traffic traffic = Traffic::kParameters;
  /// Every number of `mine` must be one that can be sent so.
  Payload payload = Payload::kFloat32;
  std::uint32_t rounding_key = 0;  ///< of round_mean(), another one each time the array is averaged
};

/// What one worker contributes to an exchange, and where it receives the results.
struct Exchange {
  std::span<const Averaged> averaged = {};
  /// The numbers of all workers, worker by worker, go to `all` of every worker.
  std::span<const double> mine = {};
  std::span<double> all = {};
  Traffic traffic = Traffic::kControl;  ///< of these numbers
};

/// The collectives that Local SGD needs, not MPI's, as one worker sees them. Every worker calls the
/// same collectives in the same order. Means are taken along a tree of workers (see
/// mean_tree.h) and sums in the order of the worker index, whatever hosts the workers, so their
/// bits are a function of the values alone. One worker alone is the identity, and so is the mean of
/// equal arrays.
///
/// When another worker of this process has failed, a collective throws Abandoned.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int worker() const = 0;       ///< 0 .. num_workers() - 1
  virtual int num_workers() const = 0;  ///< M

  virtual void exchange(const Exchange& what) = 0;

  /// Starts a mean that is made, and travels, while the worker goes on; `mine` may change at once.
  /// All workers start and finish the same ones in the same order.
  virtual void start_average(const Averaged& what) = 0;

  /// Returns when the first mean that was started and not finished is in its place.
  virtual void finish_average() = 0;

  using Bytes = std::vector<std::byte>;

  /// Hands the bytes of all workers to worker 0, one after the other. `take` is called there only.
  virtual void gather(std::span<const std::byte> mine,
                      const std::function<void(int worker, std::span<const std::byte>)>& take) = 0;

  /// The opposite of gather(): returns the bytes that worker 0 gives for this worker. `give` is
  /// called there only.
  virtual Bytes scatter(const std::function<Bytes(int worker)>& give) = 0;

  /// Seconds that this worker has waited in collectives for the last one to come.
  virtual double waited_seconds() const = 0;

  /// The messages of this worker to other processes so far. The first worker of a process sends for
  /// all workers of the process, the others send nothing.
  virtual Ledger ledger() const = 0;

  /// mean = (1/M) sum over workers of mine, rounded to f32 at every node of the tree. Any NaN
  /// becomes the same NaN.
  void average(std::span<const float> mine, std::span<float> mean, Traffic traffic) {
    const std::array<Averaged, 1> averaged{{{.mine = mine, .mean = mean, .traffic = traffic}}};
    exchange({.averaged = averaged});
  }

  /// Replaces every value by its sum over the workers.
  void sum(std::span<double> values, Traffic traffic) {
    std::vector<double> all(values.size() * static_cast<std::size_t>(num_workers()));
    exchange({.mine = values, .all = all, .traffic = traffic});
    add_up(all, values);
  }

  /// The messages of all processes before this call. Collective.
  Ledger ledger_of_all();

 protected:
  /// sums[i] = sum over workers of all[worker][i], in their order.
  static void add_up(std::span<const double> all, std::span<double> sums) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] = all[i];
      for (std::size_t at = i + sums.size(); at < all.size(); at += sums.size()) sums[i] += all[at];
    }
  }
};

/// Passes every call on and adds up the time that calls take, waiting for other workers included.
class TimedCommunicator final : public Communicator {
 public:
  explicit TimedCommunicator(Communicator& inner) : inner_(inner) {}

  int worker() const override { return inner_.worker(); }
  int num_workers() const override { return inner_.num_workers(); }

  void exchange(const Exchange& what) override {
    const Stopwatch::Scope timed(watch_);
    inner_.exchange(what);
  }
  void start_average(const Averaged& what) override {
    const Stopwatch::Scope timed(watch_);
    inner_.start_average(what);
  }
  void finish_average() override {
    const Stopwatch::Scope timed(watch_);
    inner_.finish_average();
  }
  void gather(std::span<const std::byte> mine,
              const std::function<void(int, std::span<const std::byte>)>& take) override {
    const Stopwatch::Scope timed(watch_);
    inner_.gather(mine, take);
  }
  Bytes scatter(const std::function<Bytes(int)>& give) override {
    const Stopwatch::Scope timed(watch_);
    return inner_.scatter(give);
  }
  double waited_seconds() const override { return inner_.waited_seconds(); }
  Ledger ledger() const override { return inner_.ledger(); }

  double seconds() const { return watch_.seconds(); }

 private:
  Communicator& inner_;
  Stopwatch watch_;
};

}  // namespace localbatch
