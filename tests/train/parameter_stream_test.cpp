// Parameters that travel while local steps go on, against a sequential computation that knows all
// workers.

#include "train/parameter_stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "comm/thread_process_group.h"
#include "train/local_sgd_fixtures.h"

namespace localbatch {

namespace {

constexpr int kWorkers = 2;
constexpr std::size_t kLength = 8;

/// x of a worker after its local step t, from x before it: a pull to a target of the worker's own.
void local_step(std::span<float> x, int worker) {
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] += 0.25F * (static_cast<float>(worker * 8 + 1) + static_cast<float>(i) - x[i]);
}

struct Trace {
  std::vector<std::vector<float>> own;  ///< of each worker, at the end
  std::vector<float> global;
  std::vector<double> drift;  ///< of worker 0, round by round
};

/// Rounds of a stream on threads, whose parameters are lent between rounds.
Trace streamed(const StreamOptions& options, const std::vector<int>& rounds, int ranks) {
  Trace trace{.own = std::vector<std::vector<float>>(kWorkers), .global = {}, .drift = {}};
  run_simulated_ranks(ranks, [&](ProcessGroup& processes) {
    run_workers(kWorkers, processes, [&](Communicator& comm) {
      std::vector<float> x(kLength);
      LocalSgd method;
      method.num_workers = kWorkers;
      method.stream = options;
      ParameterStream stream(method, x, make_averaging(), comm);
      for (const int H : rounds) {
        stream.begin({.local_steps = H}, x);
        for (int h = 0; h < H; ++h) {
          local_step(x, comm.worker());
          stream.after_step(h + 1, x);
        }
        if (comm.worker() == 0) trace.drift.push_back(stream.drift(x));
        stream.move(x);
      }
      if (comm.worker() == 0) trace.global = x;
      stream.begin({}, x);
      trace.own[static_cast<std::size_t>(comm.worker())] = x;
    });
  });
  return trace;
}

/// The same by the formulas in the words: fragment p = 1 .. P leaves after
/// ceil(p (H - delay)/P) local steps, and arrives `delay` later.
Trace by_formula(const StreamOptions& options, const std::vector<int>& rounds) {
  std::vector<std::vector<float>> x(kWorkers, std::vector<float>(kLength));
  std::vector<float> global(kLength);
  Trace trace;
  const std::size_t size = kLength / static_cast<std::size_t>(options.fragments);
  for (const int H : rounds) {
    const int delay = std::min(options.delay, H - 1);
    std::vector<std::vector<float>> sent = x;
    double drift = 0;
    for (int t = 1; t <= H; ++t) {
      for (int m = 0; m < kWorkers; ++m) local_step(x[static_cast<std::size_t>(m)], m);
      const auto due = [&](int p, int after) {
        return static_cast<int>(std::ceil(1.0 * p * (H - delay) / options.fragments)) + after == t;
      };
      for (int p = 1; p <= options.fragments; ++p) {
        const std::size_t first = static_cast<std::size_t>(p - 1) * size;
        for (std::size_t i = first; i < first + size; ++i) {
          if (due(p, 0))
            for (std::size_t m = 0; m < kWorkers; ++m) sent[m][i] = x[m][i];
          if (!due(p, delay)) continue;
          global[i] = sent[0][i] + (sent[1][i] - sent[0][i]) / 2;
          drift += std::pow(double{sent[0][i]} - double{global[i]}, 2);
          for (std::size_t m = 0; m < kWorkers; ++m) {
            const float late = options.keeps_late_steps ? x[m][i] - sent[m][i] : 0;
            const float arrives = global[i] + late;
            x[m][i] = arrives + static_cast<float>(1 - options.mix) * (x[m][i] - arrives);
          }
        }
      }
    }
    trace.drift.push_back(drift);
  }
  trace.own = x;
  trace.global = global;
  return trace;
}

}  // namespace

TEST_CASE("fragments leave evenly over a round, and all arrive in it") {
  const auto all = [](StreamOptions options, int H) {
    std::vector<std::pair<int, int>> times;
    for (int p = 0; p < options.fragments; ++p) {
      const FragmentTimes of = times_of(options, p, H);
      times.emplace_back(of.sent, of.arrives);
    }
    return times;
  };
  using Times = std::vector<std::pair<int, int>>;
  CHECK(all({.fragments = 1}, 16) == Times{{16, 16}});
  CHECK(all({.fragments = 4}, 16) == Times{{4, 4}, {8, 8}, {12, 12}, {16, 16}});
  CHECK(all({.fragments = 4, .delay = 4}, 16) == Times{{3, 7}, {6, 10}, {9, 13}, {12, 16}});
  CHECK(all({.fragments = 2, .delay = 9}, 4) == Times{{1, 4}, {1, 4}});
  CHECK(all({.fragments = 3, .delay = 2}, 1) == Times{{1, 1}, {1, 1}, {1, 1}});
}

TEST_CASE("a stream does what its formula says, on any placement") {
  for (const int fragments : {1, 2, 4})
    for (const int delay : {0, 1, 3})
      for (const double mix : {1.0, 0.5, 0.0})
        for (const bool keeps : {false, true}) {
          const StreamOptions options{
              .fragments = fragments, .delay = delay, .mix = mix, .keeps_late_steps = keeps};
          CAPTURE(fragments);
          CAPTURE(delay);
          CAPTURE(mix);
          const std::vector<int> rounds{4, 7, 1};
          const Trace expected = by_formula(options, rounds);
          for (const int ranks : {1, 2}) {
            const Trace got = streamed(options, rounds, ranks);
            CHECK(got.own == expected.own);
            CHECK(got.global == expected.global);
            CHECK(got.drift == expected.drift);
          }
        }
}

TEST_CASE("one fragment without delay trains as a round that stands still does, to the bit") {
  for (const bool has_residual : {false, true}) {
    LocalSgd method = make_method(4000, 5, 0.05);
    if (has_residual) method.format.payload = Payload::kInt8;
    const Run still = run(method, kNoisy, 3, 4);
    method.stream = StreamOptions();
    const Run streams = run(method, kNoisy, 3, 4);
    CHECK(streams.x == still.x);
    REQUIRE(streams.rounds.size() == still.rounds.size());
    for (std::size_t k = 0; k < still.rounds.size(); ++k) {
      CHECK(streams.rounds[k].loss == still.rounds[k].loss);
      CHECK(streams.rounds[k].drift == still.rounds[k].drift);
      CHECK(streams.rounds[k].residual == still.rounds[k].residual);
    }
  }
}

TEST_CASE("streams with delay come to the minimum that rounds without one come to") {
  LocalSgd method = make_method(40000, 8, 0.05);
  const auto distance = [](const Run& run) { return squared_distance(run.x, kNoisy.target); };
  const double still = distance(run(method, kNoisy, 4, 4));
  for (const bool keeps : {false, true}) {
    method.stream = StreamOptions{
        .fragments = 2, .delay = 2, .mix = keeps ? 1 : 0.5, .keeps_late_steps = keeps};
    CHECK(distance(run(method, kNoisy, 4, 4)) < 1.5 * still + 0.1);
  }
}

}  // namespace localbatch
