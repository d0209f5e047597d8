#include "plan/traffic.h"

#include <algorithm>

#include "comm/mean_tree.h"
#include "comm/rank_average.h"
#include "comm/workers.h"
#include "core/error.h"

namespace localbatch {

int Placement::num_hosts() const { return hosts.empty() ? 0 : std::ranges::max(hosts) + 1; }

std::vector<int> neighbours_on_hosts(int ranks, int hosts) {
  std::vector<int> host_of_rank;
  for (int host = 0; host < hosts; ++host) {
    const Slice slice = slice_of(static_cast<std::size_t>(ranks), static_cast<std::size_t>(host),
                                 static_cast<std::size_t>(hosts));
    host_of_rank.insert(host_of_rank.end(), slice.size(), host);
  }
  return host_of_rank;
}

std::int64_t ExpectedTraffic::busiest_link() const {
  std::int64_t most = 0;
  for (const Host& host : hosts) most = std::max({most, host.sent, host.received});
  return most;
}

ExpectedTraffic& ExpectedTraffic::operator+=(const ExpectedTraffic& other) {
  ledger += other.ledger;
  hosts.resize(std::max(hosts.size(), other.hosts.size()));
  for (std::size_t host = 0; host < other.hosts.size(); ++host) {
    hosts[host].sent += other.hosts[host].sent;
    hosts[host].received += other.hosts[host].received;
  }
  waits += other.waits;
  largest_meeting = std::max(largest_meeting, other.largest_meeting);
  return *this;
}

ExpectedTraffic operator*(std::int64_t count, ExpectedTraffic traffic) {
  for (Ledger::Total& entry : traffic.ledger.entries) {
    entry.messages *= count;
    entry.bytes *= count;
    entry.bytes_between_hosts *= count;
  }
  for (ExpectedTraffic::Host& host : traffic.hosts) {
    host.sent *= count;
    host.received *= count;
  }
  traffic.waits *= count;
  if (count == 0) traffic.largest_meeting = 0;
  return traffic;
}

TrafficForecast::TrafficForecast(const Placement& placement) : placement_(placement) {
  const int ranks = placement_.num_ranks();
  check(ranks >= 1 && ranks <= placement_.workers, "every rank hosts a worker");
  levels_ = rank_levels(placement_.workers, placement_.hosts);
  block_size_ = averaged_block_size(levels_.front());
}

ExpectedTraffic TrafficForecast::meeting(const Meeting& meeting) const {
  ExpectedTraffic traffic;
  traffic.hosts.resize(static_cast<std::size_t>(placement_.num_hosts()));
  const int ranks = placement_.num_ranks();
  for (int from = 0; from < ranks; ++from) {
    const auto workers =
        static_cast<std::size_t>(hosted_workers(placement_.workers, from, ranks).count);
    for (int to = 0; to < ranks && !meeting.in_background; ++to)
      if (to != from)
        add(traffic, from, to, workers * meeting.numbers * sizeof(double), meeting.traffic);
  }
  for (const Meeting::Array& array : meeting.averaged) add_average(traffic, array);
  if (placement_.num_hosts() > 1) {
    const bool averages = std::ranges::any_of(
        meeting.averaged, [](const Meeting::Array& array) { return array.length > 0; });
    // Everybody waits for all, and at an average for slices on their way out and back.
    traffic.waits = (meeting.in_background ? 0 : 1) + (averages ? 2 : 0);
  }
  traffic.largest_meeting = traffic.busiest_link();
  return traffic;
}

ExpectedTraffic TrafficForecast::start() const {
  ExpectedTraffic traffic;
  traffic.hosts.resize(static_cast<std::size_t>(placement_.num_hosts()));
  for (int to = 1; to < placement_.num_ranks(); ++to) {
    const int workers = hosted_workers(placement_.workers, to, placement_.num_ranks()).count;
    for (int worker = 0; worker < workers; ++worker)
      add(traffic, 0, to, sizeof(std::uint64_t), Traffic::kCheckpoint);
  }
  return traffic;
}

std::size_t TrafficForecast::buffer_bytes(std::size_t length) const {
  std::size_t most = 0;
  for (const std::vector<RankLevel>& levels : levels_) {
    std::size_t size = std::min(length, block_size_), floats = 0;
    for (const RankLevel& level : levels) {
      if (!level.takes_part()) break;
      const std::size_t own = level.group->rows[level.me].size();
      floats += 2 * own * size;  // joined, and on their way out
      if (!level.owns()) break;
      size = slice_of(size, level.me, level.group->owners).size();
      floats += level.group->num_rows() * size;
    }
    const std::size_t steps = levels.empty() ? 0 : 2 * levels.size() + 1;
    const std::size_t blocks = (length + block_size_ - 1) / block_size_;
    most = std::max(most, std::min(steps, blocks) * floats * sizeof(float));
  }
  return most;
}

void TrafficForecast::add(ExpectedTraffic& traffic, int from, int to, std::size_t bytes,
                          Traffic purpose) const {
  const auto size = static_cast<std::int64_t>(bytes);
  Ledger::Total& entry = traffic.ledger[purpose];
  entry.messages += 1;
  entry.bytes += size;
  const auto here = static_cast<std::size_t>(placement_.hosts[static_cast<std::size_t>(from)]);
  const auto there = static_cast<std::size_t>(placement_.hosts[static_cast<std::size_t>(to)]);
  if (here == there) return;
  entry.bytes_between_hosts += size;
  traffic.hosts[here].sent += size;
  traffic.hosts[there].received += size;
}

void TrafficForecast::add_average(ExpectedTraffic& traffic, const Meeting::Array& array) const {
  const auto blocks = [&](std::size_t size) {
    ExpectedTraffic of_block;
    of_block.hosts.resize(traffic.hosts.size());
    for (int rank = 0; rank < placement_.num_ranks(); ++rank)
      add_block(of_block, array, size, rank);
    return of_block;
  };
  if (placement_.num_ranks() == 1) return;
  const std::size_t whole = array.length / block_size_, rest = array.length % block_size_;
  if (whole > 0) traffic += static_cast<std::int64_t>(whole) * blocks(block_size_);
  if (rest > 0) traffic += blocks(rest);
}

/// As RankAverage does it: at each level slices go to their owners, and their means come back.
void TrafficForecast::add_block(ExpectedTraffic& traffic, const Meeting::Array& array,
                                std::size_t size, int rank) const {
  const std::size_t block = block_of(array.payload);
  for (const RankLevel& level : levels_[static_cast<std::size_t>(rank)]) {
    if (!level.takes_part()) return;
    const std::size_t rows = level.group->rows[level.me].size();
    for (std::size_t owner = 0; owner < level.group->owners; ++owner) {
      const std::size_t slice = slice_of(size, owner, level.group->owners, block).size();
      if (owner != level.me && slice > 0)
        add(traffic, rank, level.group->peers[owner], rows * encoded_size(array.payload, slice),
            array.traffic);
    }
    if (!level.owns()) return;
    size = slice_of(size, level.me, level.group->owners, block).size();
    for (std::size_t peer = 0; peer < level.group->peers.size(); ++peer)
      if (peer != level.me && size > 0)
        add(traffic, rank, level.group->peers[peer], encoded_size(array.payload, size),
            array.traffic);
  }
}

ExpectedTraffic traffic_of(const std::vector<Meeting>& meetings, const TrafficForecast& forecast) {
  ExpectedTraffic traffic;
  for (const Meeting& meeting : meetings) traffic += forecast.meeting(meeting);
  return traffic;
}

ExpectedTraffic TrafficOfParts::of_rounds(const RoundCount& count) const {
  ExpectedTraffic traffic = (count.rounds - count.measured) * round;
  traffic += (count.measured - count.audited) * measured_round;
  traffic += count.audited * audited_round;
  traffic += count.local_steps * local_step;
  traffic += count.evaluations * evaluation;
  return traffic;
}

ExpectedTraffic TrafficOfParts::of_run(const RoundCount& count) const {
  ExpectedTraffic traffic = start;
  traffic += of_rounds(count);
  traffic += end;
  return traffic;
}

TrafficOfParts traffic_of_parts(const RunMeetings& meetings, const TrafficForecast& forecast) {
  return {.start = forecast.start(),
          .round = traffic_of(meetings.round, forecast),
          .measured_round = traffic_of(meetings.measured_round, forecast),
          .audited_round = traffic_of(meetings.audited_round, forecast),
          .local_step = traffic_of(meetings.local_step, forecast),
          .evaluation = traffic_of(meetings.evaluation, forecast),
          .end = traffic_of(meetings.end, forecast)};
}

}  // namespace localbatch
