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

  void exchange(const Exchange& what) override {
    const Stopwatch::Scope timed(watch_);
    inner_.exchange(what);
  }
  void collect(std::span<const std::byte> mine,
               const std::function<void(int, std::span<const std::byte>)>& take) override {
    const Stopwatch::Scope timed(watch_);
    inner_.collect(mine, take);
  }
  Bytes deal(const std::function<Bytes(int)>& give) override {
    const Stopwatch::Scope timed(watch_);
    return inner_.deal(give);
  }
  double waited_seconds() const override { return inner_.waited_seconds(); }
  Ledger ledger() const override { return inner_.ledger(); }

  double seconds() const { return watch_.seconds(); }

 private:
  Communicator& inner_;
  Stopwatch watch_;
};

}  // namespace localbatch
