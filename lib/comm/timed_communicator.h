#pragma once

#include "comm/communicator.h"
#include "core/stopwatch.h"

namespace localbatch {

/// Passes every call on and adds up the time that calls take, waiting for other workers included.
class TimedCommunicator final : public Communicator {
 public:
  explicit TimedCommunicator(Communicator& inner) : inner_(inner) {}

  int worker() const override { return inner_.worker(); }
  int num_workers() const override { return inner_.num_workers(); }

  void average(std::span<const float> mine, std::span<float> mean) override {
    const Stopwatch::Scope timed(watch_);
    inner_.average(mine, mean);
  }
  void sum(std::span<double> values) override {
    const Stopwatch::Scope timed(watch_);
    inner_.sum(values);
  }

  double seconds() const { return watch_.seconds(); }

 private:
  Communicator& inner_;
  Stopwatch watch_;
};

}  // namespace localbatch
