#include "plan/traffic.h"

#include <doctest/doctest.h>

#include "comm/simulated_ledger.h"

namespace localbatch {

namespace {

/// What a run with this placement really sends at one meeting.
Ledger real_ledger(const Placement& placement, const Meeting& meeting) {
  return total_of(placement.workers, placement.hosts, [&](Communicator& comm) {
    std::vector<std::vector<float>> arrays;
    std::vector<Averaged> averaged;
    for (const Meeting::Array& array : meeting.averaged) {
      std::vector<float>& x = arrays.emplace_back(array.length);
      averaged.push_back(
          {.mine = x, .mean = x, .traffic = array.traffic, .payload = array.payload});
    }
    const std::vector<double> mine(meeting.numbers);
    std::vector<double> all(mine.size() * static_cast<std::size_t>(comm.num_workers()));
    comm.exchange({.averaged = averaged, .mine = mine, .all = all, .traffic = meeting.traffic});
  });
}

const std::vector<Placement>& placements() {
  static const std::vector<Placement> kPlacements{
      {1, {0}},          {4, {0}},       {2, {0, 0}},       {2, {0, 1}},         {3, {0, 1, 2}},
      {5, {0, 1}},       {6, {0, 1, 2}}, {7, {0, 1, 2, 3}}, {4, {0, 0, 1, 1}},   {8, {0, 0, 1, 1}},
      {4, {0, 1, 0, 1}}, {6, {0, 0, 1}}, {9, {0, 1, 1, 2}}, {5, {0, 0, 0, 1, 1}}};
  return kPlacements;
}

}  // namespace

TEST_CASE("the forecast of a meeting is what the ledgers of all ranks show, for any placement") {
  const std::vector<Meeting> meetings{
      {},
      {.numbers = 3, .traffic = Traffic::kStatistics},
      {.averaged = {{.length = 0}, {.length = 1}, {.length = 2}}},
      {.averaged = {{.length = 1201},
                    {.length = 37, .traffic = Traffic::kState},
                    {.length = 64, .traffic = Traffic::kGradients, .payload = Payload::kBfloat16}},
       .numbers = 2},
      {.averaged = {{.length = 1201, .payload = Payload::kInt8},
                    {.length = 37, .payload = Payload::kInt4},
                    {.length = 3, .payload = Payload::kInt8}}},
      // Several blocks.
      {.averaged = {{.length = 2 * (std::size_t{1} << 17) + 5},
                    {.length = 2 * (std::size_t{1} << 17) + 37, .payload = Payload::kInt4}}}};
  for (const Placement& placement : placements()) {
    const TrafficForecast forecast(placement);
    for (const Meeting& meeting : meetings) {
      CAPTURE(placement.workers);
      CAPTURE(placement.hosts.size());
      const ExpectedTraffic expected = forecast.meeting(meeting);
      CHECK(expected.ledger == real_ledger(placement, meeting));
      std::int64_t sent = 0, received = 0, between_hosts = 0;
      for (const ExpectedTraffic::Host& host : expected.hosts) {
        sent += host.sent;
        received += host.received;
      }
      for (const Ledger::Total& entry : expected.ledger.entries)
        between_hosts += entry.bytes_between_hosts;
      CHECK(sent == between_hosts);
      CHECK(received == between_hosts);
    }
  }
}

TEST_CASE("the forecast of a start is what dealing no checkpoint sends") {
  for (const Placement& placement : placements()) {
    CAPTURE(placement.workers);
    CAPTURE(placement.hosts.size());
    CHECK(TrafficForecast(placement).start().ledger ==
          total_of(placement.workers, placement.hosts, [](Communicator& comm) {
            comm.scatter([](int) { return Communicator::Bytes(); });
          }));
  }
}

TEST_CASE("closed forms where ranks and hosts hold whole subtrees") {
  const std::int64_t n = 1200;
  const Meeting average{.averaged = {{.length = 1200}}};
  for (const int hosts : {1, 2, 4})
    for (const int ranks_of_host : {1, 2, 4})
      for (const int workers_of_rank : {1, 2}) {
        const int ranks = hosts * ranks_of_host, workers = ranks * workers_of_rank;
        const TrafficForecast forecast({workers, neighbours_on_hosts(ranks, hosts)});
        const ExpectedTraffic traffic = forecast.meeting(average);
        const Ledger::Total& parameters = traffic.ledger[Traffic::kParameters];
        CHECK(parameters.bytes == 2 * (ranks - 1) * n * 4);
        CHECK(parameters.bytes_between_hosts == 2 * (hosts - 1) * n * 4);
        CHECK(traffic.busiest_link() == 2 * (hosts - 1) * n * 4 / hosts);
        CHECK(traffic.waits == (hosts > 1 ? 3 : 0));
        const ExpectedTraffic numbers =
            forecast.meeting({.numbers = 12, .traffic = Traffic::kStatistics});
        CHECK(numbers.ledger[Traffic::kStatistics].bytes == 8 * 12 * workers * (ranks - 1));
        CHECK(numbers.ledger[Traffic::kStatistics].messages == ranks * (ranks - 1));
        CHECK(numbers.waits == (hosts > 1 ? 1 : 0));
      }
}

TEST_CASE("messages of 1024 workers on 256 ranks, in closed form for every kind of traffic") {
  constexpr std::int64_t M = 1024, R = 256, k = 20, n = 16 * R;
  for (const int hosts : {32, 256}) {
    CAPTURE(hosts);
    const std::int64_t K = hosts, r = R / K;  // ranks of a host
    const TrafficForecast forecast({M, neighbours_on_hosts(R, hosts)});
    // Numbers: each rank sends those of its workers to each other one.
    for (const Traffic kind : {Traffic::kStatistics, Traffic::kEvaluation, Traffic::kControl}) {
      const ExpectedTraffic numbers = forecast.meeting({.numbers = k, .traffic = kind});
      CHECK(numbers.ledger[kind].messages == R * (R - 1));
      CHECK(numbers.ledger[kind].bytes == R * (R - 1) * 8 * k * M / R);
      CHECK(numbers.busiest_link() == r * (R - r) * 8 * k * M / R);
      CHECK(numbers.waits == 1);
    }
    // Averages: each rank sends slices to its neighbours on the host and to its likes on the other
    // hosts, and their means come back the same way; all that once more for every further block.
    for (const Traffic kind : {Traffic::kParameters, Traffic::kState, Traffic::kGradients}) {
      const ExpectedTraffic mean = forecast.meeting({.averaged = {{.length = n, .traffic = kind}}});
      CHECK(mean.ledger[kind].messages == R * 2 * (r - 1 + K - 1));
      CHECK(mean.ledger[kind].bytes == 2 * (R - 1) * n * 4);
      CHECK(mean.busiest_link() == 2 * (K - 1) * n * 4 / K);
      CHECK(mean.ledger[Traffic::kControl].messages == R * (R - 1));  // everybody has come
      CHECK(mean.ledger[Traffic::kControl].bytes == 0);
      CHECK(mean.waits == 3);
    }
    // Checkpoints: one message for every worker that rank 0 does not host.
    CHECK(forecast.start().ledger[Traffic::kCheckpoint].messages == M - M / R);
    CHECK(forecast.start().ledger[Traffic::kCheckpoint].bytes == 8 * (M - M / R));
  }
}

TEST_CASE("a forecast for 4096 hosts takes seconds") {
  constexpr std::int64_t R = 4096, n = 16 * R;
  const TrafficForecast forecast({R, neighbours_on_hosts(R, R)});
  const ExpectedTraffic mean = forecast.meeting({.averaged = {{.length = n}}});
  CHECK(mean.ledger[Traffic::kParameters].messages == R * 2 * (R - 1));
  CHECK(mean.busiest_link() == 2 * (R - 1) * n * 4 / R);
}

TEST_CASE("traffic adds up, and neighbours share hosts") {
  const TrafficForecast forecast({4, {0, 1}});
  const ExpectedTraffic once = forecast.meeting({.averaged = {{.length = 7}}, .numbers = 1});
  ExpectedTraffic thrice = once;
  thrice += 2 * once;
  CHECK(thrice.ledger == (3 * once).ledger);
  CHECK(thrice.waits == 9);
  CHECK(thrice.busiest_link() == 3 * once.busiest_link());
  CHECK(thrice.largest_meeting == once.busiest_link());
  CHECK((0 * thrice).largest_meeting == 0);
  CHECK(neighbours_on_hosts(4, 2) == std::vector{0, 0, 1, 1});
  CHECK(neighbours_on_hosts(5, 2) == std::vector{0, 0, 1, 1, 1});
  CHECK(neighbours_on_hosts(1, 1) == std::vector{0});
}

TEST_CASE("buffers of an average: none alone, blocks of a few slices between ranks") {
  CHECK(TrafficForecast({4, {0}}).buffer_bytes(1000) == 0);
  const TrafficForecast two({2, {0, 1}});
  const std::size_t one_block = two.buffer_bytes(1000);
  // Twice the row, and both rows of the owned half.
  CHECK(one_block == (2 * 1000 + 2 * 500) * 4);
  const std::size_t many = two.buffer_bytes(100'000'000);
  CHECK(many > one_block);
  CHECK(many == two.buffer_bytes(200'000'000));
}

TEST_CASE("all workers know what all processes have sent") {
  for (const Placement& placement : placements()) {
    std::mutex mutex;
    std::vector<Ledger> known;
    const Ledger real = total_of(placement.workers, placement.hosts, [&](Communicator& comm) {
      std::vector<float> x(12);
      comm.average(x, x, Traffic::kParameters);
      const Ledger all = comm.ledger_of_all();
      const std::lock_guard lock(mutex);
      known.push_back(all);
    });
    REQUIRE(known.size() == static_cast<std::size_t>(placement.workers));
    for (const Ledger& ledger : known) {
      CHECK(ledger[Traffic::kParameters] == real[Traffic::kParameters]);
      CHECK(ledger == known.front());
    }
  }
}

}  // namespace localbatch
