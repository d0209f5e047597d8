#include "nn/team.h"

#include <omp.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/stopwatch.h"
#include "core/vector.h"

namespace localbatch {

std::byte* Thread::take_bytes(std::size_t bytes) {
  std::byte* const memory = memory_.data() + used_;
  used_ += scratch_bytes<std::byte>(bytes);
  check(used_ <= memory_.size(), "a layer asks for the scratch memory that it uses");
  return memory;
}

std::byte* Thread::scratchpad(std::size_t bytes) {
  if (scratchpad_.size() < bytes) scratchpad_ = AlignedBuffer<std::byte>(bytes);
  return scratchpad_.data();
}

Phase Thread::enter(Phase phase) {
  const double now = monotonic_seconds();
  seconds_[static_cast<std::size_t>(phase_)] += now - since_;
  since_ = now;
  return std::exchange(phase_, phase);
}

Team::Team(int threads) {
  for (int index = 0; index < threads; ++index) threads_.emplace_back(index);
}

void Team::allocate(std::size_t thread_bytes, std::size_t shared_floats) {
  for (Thread& thread : threads_) thread.memory_ = AlignedBuffer<std::byte>(thread_bytes);
  shared_ = AlignedBuffer<float>(shared_floats);
}

void Team::for_each(int count, Phase phase, const std::function<void(int, Thread&)>& work) {
  const auto begin = [phase](Thread& thread) {
    thread.since_ = monotonic_seconds();
    thread.phase_ = phase;
  };
  if (threads() == 1 || count == 1) {
    const FlushDenormals flush;
    Thread& thread = threads_.front();
    begin(thread);
    for (int index = 0; index < count; ++index) work(index, thread);
    thread.enter(Phase::kWaiting);
    return;
  }
#pragma omp parallel num_threads(threads())
  {
    const FlushDenormals flush;
    Thread& thread = threads_[static_cast<std::size_t>(omp_get_thread_num())];
    begin(thread);
#pragma omp for schedule(dynamic, 1) nowait
    for (int index = 0; index < count; ++index) work(index, thread);
    thread.enter(Phase::kWaiting);
  }
}

PhaseSeconds Team::phase_seconds(double pass_seconds) const {
  PhaseSeconds sum{};
  for (const Thread& thread : threads_)
    for (std::size_t phase = 0; phase < sum.size(); ++phase) sum[phase] += thread.seconds_[phase];
  double& waiting = sum[static_cast<std::size_t>(Phase::kWaiting)];
  waiting = 0;
  const double busy = std::accumulate(sum.begin(), sum.end(), 0.0);
  waiting = std::max(0.0, threads() * pass_seconds - busy);
  return sum;
}

}  // namespace localbatch
