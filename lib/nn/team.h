#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "nn/execution.h"

namespace localbatch {

/// One thread of a team, with scratch memory and a clock of its own.
class Thread {
 public:
  explicit Thread(int index) : index_(index) {}

  int index() const { return index_; }

  /// Scratch memory for as long as its frame lives. Frames nest like calls, so what was used last
  /// is used next and stays in the cache.
  class Frame {
   public:
    explicit Frame(Thread& thread) : thread_(thread), used_(thread.used_) {}
    ~Frame() { thread_.used_ = used_; }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Thread& thread_;
    std::size_t used_;
  };

  /// Memory of `count` elements inside the innermost frame, aligned to cache lines, not cleared.
  template <class T>
  T* take(std::size_t count) {
    return reinterpret_cast<T*>(take_bytes(count * sizeof(T)));
  }

  /// Memory for a oneDNN primitive while it runs. One array for all of them, as large as the
  /// largest has asked for.
  std::byte* scratchpad(std::size_t bytes);

  /// Charges the time of its scope to a phase, and what comes after to the phase before.
  class Timed {
   public:
    Timed(Thread& thread, Phase phase) : thread_(thread), before_(thread.enter(phase)) {}
    ~Timed() { thread_.enter(before_); }
    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;

   private:
    Thread& thread_;
    Phase before_;
  };

 private:
  friend class Team;

  std::byte* take_bytes(std::size_t bytes);
  Phase enter(Phase phase);

  int index_;
  AlignedBuffer<std::byte> memory_, scratchpad_;
  std::size_t used_ = 0;
  Phase phase_ = Phase::kWaiting;
  double since_ = 0;
  PhaseSeconds seconds_{};
};

/// Bytes that take() needs for `count` elements.
template <class T>
constexpr std::size_t scratch_bytes(std::size_t count) {
  constexpr std::size_t kLine = 64;
  return (count * sizeof(T) + kLine - 1) / kLine * kLine;
}

/// The threads of one worker's network.
class Team {
 public:
  explicit Team(int threads);

  int threads() const { return static_cast<int>(threads_.size()); }

  /// Room for the frames of every thread, and for shared(). To be called once.
  void allocate(std::size_t thread_bytes, std::size_t shared_floats);

  /// Scratch that all threads see. It belongs to the layer that is running.
  std::span<float> shared() { return shared_.span(); }

  /// Calls work(0) .. work(count - 1), each once, on whichever thread is free next, and returns
  /// when all are done. What a call computes must not depend on its thread. `phase` is what the
  /// calls do unless they say otherwise. A slow thread (another program on its core) does fewer
  /// calls.
  void for_each(int count, Phase phase, const std::function<void(int, Thread&)>& work);

  /// Seconds of all threads by phase, of passes that have taken so long: a thread waits when it is
  /// not busy.
  PhaseSeconds phase_seconds(double pass_seconds) const;

 private:
  std::vector<Thread> threads_;
  AlignedBuffer<float> shared_;
};

}  // namespace localbatch
