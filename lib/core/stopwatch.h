#pragma once

namespace localbatch {

/// The time of a clock that never goes back; where it began has no meaning.
double monotonic_seconds();

/// Adds up the time that its scopes have lasted.
class Stopwatch {
 public:
  /// Runs while it is in scope.
  class Scope {
   public:
    explicit Scope(Stopwatch& watch) : watch_(watch) {}
    ~Scope() { watch_.seconds_ += monotonic_seconds() - began_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Stopwatch& watch_;
    double began_ = monotonic_seconds();
  };

  double seconds() const { return seconds_; }

 private:
  double seconds_ = 0;
};

}  // namespace localbatch
