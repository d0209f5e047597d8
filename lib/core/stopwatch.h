#pragma once

#include <chrono>

namespace localbatch {

/// Adds up the time that its scopes have lasted.
class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// Runs while it is in scope.
  class Scope {
   public:
    explicit Scope(Stopwatch& watch) : watch_(watch) {}
    ~Scope() { watch_.total_ += Clock::now() - started_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Stopwatch& watch_;
    Clock::time_point started_ = Clock::now();
  };

  double seconds() const { return std::chrono::duration<double>(total_).count(); }

 private:
  Clock::duration total_{};
};

}  // namespace localbatch
