#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "comm/ledger.h"
#include "comm/process_group.h"

namespace localbatch {

/// A message under way.
struct Message {
  ProcessGroup::Ticket ticket = 0;
  int peer = 0;  ///< the rank at the other end
};

/// Messages that one call of wait() waits for.
using Messages = std::vector<Message>;

/// Sends and receives the messages of this process: keeps the ledger, and loses patience with a
/// rank that does not answer.
class Mailbox {
 public:
  /// How a thread waits for messages: awake at first, when an answer is likely to come soon, or
  /// asleep, as one does that shares a core with somebody who computes.
  enum class Waiting { kAwakeAtFirst, kAsleep };

  explicit Mailbox(ProcessGroup& processes, Waiting waiting = Waiting::kAwakeAtFirst)
      : processes_(processes), waiting_(waiting) {}

  int rank() const { return processes_.rank(); }
  int num_ranks() const { return processes_.num_ranks(); }
  const std::vector<int>& hosts() const { return processes_.hosts(); }

  void send(int to, std::span<const std::byte> bytes, Traffic traffic, Messages& messages);
  void receive(int from, std::span<std::byte> bytes, Messages& messages);

  /// Returns when all messages have finished, and forgets them. Sleeps between looks, as there may
  /// be more threads than cores. Throws Stalled, with the missing ranks, when the patience of the
  /// process group is over.
  void wait(Messages& messages);

  /// Gives every rank the values of all ranks, rank by rank; counts[r] of them are those of rank r.
  /// Collective. Each of R ranks sends to every other one: R - 1 messages, and one wait for all of
  /// them. Bruck's algorithm would send as many bytes in log2 R messages, but they pass from rank
  /// to rank: log2 R waits in sequence, which count where hosts are far apart, and a rank that
  /// waits in vain would name one that waits itself. Averages have messages of each rank to each
  /// other host beside them anyway.
  void all_gather(std::span<const double> mine, std::span<double> all,
                  std::span<const std::size_t> counts, Traffic traffic);

  /// Sends any number of bytes, which the receiver need not know.
  void send_all(int to, std::span<const std::byte> bytes, Traffic traffic);
  std::vector<std::byte> receive_all(int from);

  /// The largest of all ranks' values. Collective.
  int max(int value);

  const Ledger& ledger() const { return ledger_; }

 private:
  ProcessGroup& processes_;
  Waiting waiting_;
  Ledger ledger_;
};

}  // namespace localbatch
