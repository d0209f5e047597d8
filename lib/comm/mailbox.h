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

/// Messages that are awaited together.
using Messages = std::vector<Message>;

/// The messages of this process: keeps the ledger, waits, and does not wait for ever.
class Mailbox {
 public:
  /// Waits for at most `patience` seconds; 0: for ever.
  explicit Mailbox(ProcessGroup& processes, double patience = 0)
      : processes_(processes), patience_(patience) {}

  int rank() const { return processes_.rank(); }
  int num_ranks() const { return processes_.num_ranks(); }
  const std::vector<int>& hosts() const { return processes_.hosts(); }

  void send(int to, std::span<const std::byte> bytes, Traffic traffic, Messages& messages);
  void receive(int from, std::span<std::byte> bytes, Messages& messages);

  /// Returns when all have finished, and forgets them. Sleeps between looks: there may be more
  /// threads than cores. Throws a SystemError that names the ranks that are missing when the
  /// patience is over.
  void wait(Messages& messages);

  /// Everybody's values, rank by rank; counts[r] of rank r. Collective.
  void gather(std::span<const double> mine, std::span<double> all,
              std::span<const std::size_t> counts, Traffic traffic);

  /// Bytes of any number, which the receiver need not know.
  void send_all(int to, std::span<const std::byte> bytes, Traffic traffic);
  std::vector<std::byte> receive_all(int from);

  /// The largest of everybody's values. Collective.
  int max(int value);

  const Ledger& ledger() const { return ledger_; }

 private:
  ProcessGroup& processes_;
  double patience_;
  Ledger ledger_;
};

}  // namespace localbatch
