#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "comm/ledger.h"
#include "comm/mean_tree.h"
#include "plan/dry_rounds.h"

namespace localbatch {

/// Where the workers of a run are.
struct Placement {
  int workers = 1;
  std::vector<int> hosts{0};  ///< hosts[r] is the host of rank r: 0, 1, ...

  int num_ranks() const { return static_cast<int>(hosts.size()); }
  int num_hosts() const;
};

/// `ranks` ranks on `hosts` hosts, neighbours together, in shares that differ by at most one.
std::vector<int> neighbours_on_hosts(int ranks, int hosts);

/// What all ranks together send.
struct ExpectedTraffic {
  struct Host {
    std::int64_t sent = 0, received = 0;  ///< bytes to and from other hosts
  };
  Ledger ledger = {};
  std::vector<Host> hosts = {};
  /// Waits for a message from another host that follow one another. Blocks of an average that are
  /// under way at the same time hide each other's: it counts as one block.
  std::int64_t waits = 0;
  std::int64_t largest_meeting = 0;  ///< bytes of the busiest link in the meeting that has most

  /// The most bytes that a host sends to others, or receives.
  std::int64_t busiest_link() const;

  ExpectedTraffic& operator+=(const ExpectedTraffic& other);
  friend ExpectedTraffic operator*(std::int64_t count, ExpectedTraffic traffic);
};

/// Tells from placement and lengths alone what Communicator::exchange sends, message by message as
/// the ledgers count them. In closed form: k numbers of each of M workers are 8 k M (R - 1) bytes
/// in R (R - 1) messages between R ranks. An average of n numbers of s bytes is 2 (R - 1) n s
/// bytes, 2 (K - 1) n s of them between K hosts with equally many ranks, where the workers of each
/// rank and of each host make up one subtree; more where they do not.
class TrafficForecast {
 public:
  /// There are at most as many ranks as workers.
  explicit TrafficForecast(const Placement& placement);

  ExpectedTraffic meeting(const Meeting& meeting) const;

  /// Worker 0 tells each of the others that there is no checkpoint (Communicator::scatter).
  ExpectedTraffic start() const;

  /// Bytes that an average of `length` f32 numbers needs on the rank that needs most, beside the
  /// arrays themselves.
  std::size_t buffer_bytes(std::size_t length) const;

 private:
  void add(ExpectedTraffic& traffic, int from, int to, std::size_t bytes, Traffic purpose) const;
  void add_average(ExpectedTraffic& traffic, const Meeting::Array& array) const;
  void add_block(ExpectedTraffic& traffic, const Meeting::Array& array, std::size_t size,
                 int rank) const;

  Placement placement_;
  std::vector<std::vector<RankLevel>> levels_;  ///< by rank
  std::size_t block_size_ = 0;
};

/// One after the other.
ExpectedTraffic traffic_of(const std::vector<Meeting>& meetings, const TrafficForecast& forecast);

/// What each part of a run sends.
struct TrafficOfParts {
  ExpectedTraffic start, round, measured_round, audited_round, local_step, evaluation, end;

  /// Of the rounds alone, with their local steps and evaluations.
  ExpectedTraffic of_rounds(const RoundCount& count) const;

  /// Of a whole run that is not interrupted and writes no checkpoints: what summary.json calls
  /// communication.
  ExpectedTraffic of_run(const RoundCount& count) const;
};

TrafficOfParts traffic_of_parts(const RunMeetings& meetings, const TrafficForecast& forecast);

}  // namespace localbatch
