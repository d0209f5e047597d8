#include "nn/team.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/stopwatch.h"

using namespace localbatch;

namespace {

#ifdef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
constexpr int kMaxThreads = 1;
#else
constexpr int kMaxThreads = 5;
#endif

constexpr std::size_t kLine = 64;

std::uintptr_t address(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }

void work_for(double seconds) {
  const double end = monotonic_seconds() + seconds;
  while (monotonic_seconds() < end) continue;
}

double seconds_of(const PhaseSeconds& seconds, Phase phase) {
  return seconds[static_cast<std::size_t>(phase)];
}

}  // namespace

TEST_CASE("every index is worked on once, for any count and any number of threads") {
  for (int threads = 1; threads <= kMaxThreads; ++threads)
    for (const int count : {0, 1, 2, 3, 4, 7, 64, 1000}) {
      CAPTURE(threads);
      CAPTURE(count);
      Team team(threads);
      CHECK(team.threads() == threads);
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      std::vector<std::atomic<int>> busy(static_cast<std::size_t>(threads));
      std::atomic<bool> alone = true;
      team.for_each(count, Phase::kForward, [&](int index, Thread& thread) {
        std::atomic<int>& mine = busy.at(static_cast<std::size_t>(thread.index()));
        if (mine.fetch_add(1) != 0) alone = false;
        ++calls.at(static_cast<std::size_t>(index));
        mine.fetch_sub(1);
      });
      CHECK(alone);
      int once = 0;
      for (const std::atomic<int>& its_calls : calls) once += its_calls == 1 ? 1 : 0;
      CHECK(once == count);
    }
}

TEST_CASE("for_each returns when all calls are done") {
  for (int threads = 1; threads <= kMaxThreads; ++threads) {
    Team team(threads);
    std::atomic<int> done = 0;
    for (int round = 1; round <= 20; ++round) {
      team.for_each(threads, Phase::kForward, [&](int index, Thread&) {
        if (index == 0) work_for(1e-3);
        ++done;
      });
      CHECK(done == round * threads);
    }
  }
}

TEST_CASE("a frame takes aligned memory of its own and gives it back") {
  Team team(1);
  const std::size_t sum = scratch_bytes<char>(1) + scratch_bytes<float>(17) +
                          scratch_bytes<double>(8) + scratch_bytes<char>(65);
  CHECK(sum == kLine * (1 + 2 + 1 + 2));
  CHECK(scratch_bytes<float>(0) == 0);
  team.allocate(sum, 5);
  team.for_each(3, Phase::kForward, [](int, Thread& thread) {
    const Thread::Frame outer(thread);
    char* const first = thread.take<char>(1);
    for (int round = 0; round < 100; ++round) {
      const Thread::Frame inner(thread);
      float* const floats = thread.take<float>(17);
      double* const doubles = thread.take<double>(8);
      char* const last = thread.take<char>(65);
      CHECK(address(first) % kLine == 0);
      CHECK(address(floats) == address(first) + kLine);
      CHECK(address(doubles) == address(floats) + 2 * kLine);
      CHECK(address(last) == address(doubles) + kLine);
    }
    // What comes after the inner frames continues behind the outer one.
    CHECK(address(thread.take<char>(5 * kLine)) == address(first) + kLine);
  });
}

TEST_CASE("threads have scratch memory and scratchpads of their own, and share the shared one") {
  Team team(kMaxThreads);
  team.allocate(4096, 33);
  CHECK(team.shared().size() == 33);
  CHECK(address(team.shared().data()) % kLine == 0);
  std::vector<const std::byte*> memory(kMaxThreads), pads(kMaxThreads);
  std::atomic<int> arrived = 0;
  team.for_each(kMaxThreads, Phase::kForward, [&](int, Thread& thread) {
    // Nobody leaves before all are here, so every thread has one call.
    ++arrived;
    while (arrived < kMaxThreads) continue;
    const Thread::Frame frame(thread);
    memory[static_cast<std::size_t>(thread.index())] = thread.take<std::byte>(4096);
    std::byte* const pad = thread.scratchpad(100);
    CHECK(thread.scratchpad(50) == pad);
    pads[static_cast<std::size_t>(thread.index())] = thread.scratchpad(1000);
  });
  for (std::size_t i = 0; i < kMaxThreads; ++i)
    for (std::size_t k = 0; k < kMaxThreads; ++k) {
      CHECK(memory[i] != nullptr);
      CHECK(pads[i] != memory[k]);
      if (i == k) continue;
      CHECK((memory[i] + 4096 <= memory[k] || memory[k] + 4096 <= memory[i]));
      CHECK((pads[i] + 1000 <= pads[k] || pads[k] + 1000 <= pads[i]));
    }
}

TEST_CASE("time is charged to the innermost phase, and phases add up to the elapsed time") {
  for (const int threads : {1, kMaxThreads}) {
    CAPTURE(threads);
    Team team(threads);
    constexpr int kCalls = 5;
    const double started = monotonic_seconds();
    team.for_each(kCalls, Phase::kForward, [](int, Thread& thread) {
      work_for(2e-3);
      {
        const Thread::Timed elementwise(thread, Phase::kElementwise);
        work_for(1e-3);
        const Thread::Timed weights(thread, Phase::kWeights);
        work_for(1e-3);
      }
      work_for(1e-3);
    });
    const double elapsed = monotonic_seconds() - started;
    const PhaseSeconds seconds = team.phase_seconds(0);
    CHECK(seconds_of(seconds, Phase::kForward) >= kCalls * 3e-3);
    CHECK(seconds_of(seconds, Phase::kElementwise) >= kCalls * 1e-3);
    CHECK(seconds_of(seconds, Phase::kWeights) >= kCalls * 1e-3);
    CHECK(seconds_of(seconds, Phase::kBackwardData) == 0);
    CHECK(seconds_of(seconds, Phase::kWaiting) == 0);
    const double busy = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    CHECK(busy <= threads * elapsed);
    if (threads == 1) CHECK(busy > elapsed - 1e-3);

    // A second round comes on top, and what lies between is nobody's.
    work_for(5e-3);
    team.for_each(1, Phase::kBackwardData, [](int, Thread&) { work_for(1e-3); });
    const PhaseSeconds later = team.phase_seconds(0);
    CHECK(seconds_of(later, Phase::kForward) == seconds_of(seconds, Phase::kForward));
    CHECK(seconds_of(later, Phase::kBackwardData) >= 1e-3);
    const double both = monotonic_seconds() - started;
    CHECK(std::accumulate(later.begin(), later.end(), 0.0) <= threads * (both - 5e-3));
  }
}
