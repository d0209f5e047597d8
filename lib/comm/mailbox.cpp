#include "comm/mailbox.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/stopwatch.h"
#include "core/text.h"

namespace localbatch {

namespace {

/// Bytes of the largest message, far below what the int counts of MPI can hold.
constexpr std::size_t kLargestMessage = std::size_t{1} << 26;

/// Calls each(piece) for pieces of at most that many bytes; of no bytes for one, as who waits for
/// an empty message waits for its sender.
template <class Byte, class Each>
void for_pieces(std::span<Byte> bytes, const Each& each) {
  do {
    const std::span<Byte> piece = bytes.first(std::min(kLargestMessage, bytes.size()));
    each(piece);
    bytes = bytes.subspan(piece.size());
  } while (!bytes.empty());
}

/// Waits between two looks at a message.
class Pause {
 public:
  explicit Pause(Mailbox::Waiting waiting) : waiting_(waiting) {}

  void take() {
    if (waiting_ == Mailbox::Waiting::kAsleep) {
      std::this_thread::sleep_for(kAsleep);
    } else if (looks_++ < kAwake) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(sleep_);
      sleep_ = std::min(2 * sleep_, kLongest);
    }
  }

  /// After a message that has come: others are likely to come soon.
  void begin_again() {
    looks_ = 0;
    sleep_ = kShortest;
  }

 private:
  static constexpr int kAwake = 200;
  static constexpr std::chrono::microseconds kShortest{20}, kLongest{500}, kAsleep{250};

  Mailbox::Waiting waiting_;
  int looks_ = 0;
  std::chrono::microseconds sleep_ = kShortest;
};

}  // namespace

void Mailbox::send(int to, std::span<const std::byte> bytes, Traffic traffic, Messages& messages) {
  messages.push_back({.ticket = processes_.start_send(to, bytes), .peer = to});
  const auto size = static_cast<std::int64_t>(bytes.size());
  Ledger::Total& entry = ledger_[traffic];
  entry.messages += 1;
  entry.bytes += size;
  if (hosts()[to] != hosts()[rank()]) entry.bytes_between_hosts += size;
}

void Mailbox::receive(int from, std::span<std::byte> bytes, Messages& messages) {
  messages.push_back({.ticket = processes_.start_receive(from, bytes), .peer = from});
}

void Mailbox::wait(Messages& messages) {
  const double started = monotonic_seconds(), limit = processes_.patience().seconds;
  Pause pause(waiting_);
  while (true) {
    const std::size_t before = messages.size();
    std::erase_if(messages, [&](const Message& m) { return processes_.has_finished(m.ticket); });
    if (messages.empty()) return;
    if (messages.size() < before) pause.begin_again();
    pause.take();
    if (limit <= 0 || monotonic_seconds() - started < limit) continue;
    std::set<int> missing;
    for (const Message& message : messages) missing.insert(message.peer);
    throw Stalled(
        fmt::format("no message from rank {} for {} s: it hangs, or does not reach the others",
                    join(std::vector(missing.begin(), missing.end()), ", "), limit));
  }
}

void Mailbox::all_gather(std::span<const double> mine, std::span<double> all,
                         std::span<const std::size_t> counts, Traffic traffic) {
  Messages messages;
  std::size_t begin = 0;
  for (int peer = 0; peer < num_ranks(); ++peer) {
    const std::span<double> theirs = all.subspan(begin, counts[peer]);
    begin += theirs.size();
    if (peer == rank()) {
      std::ranges::copy(mine, theirs.begin());
      continue;
    }
    for_pieces(std::as_writable_bytes(theirs),
               [&](std::span<std::byte> piece) { receive(peer, piece, messages); });
    for_pieces(std::as_bytes(mine),
               [&](std::span<const std::byte> piece) { send(peer, piece, traffic, messages); });
  }
  wait(messages);
}

void Mailbox::send_all(int to, std::span<const std::byte> bytes, Traffic traffic) {
  const std::uint64_t size = bytes.size();
  Messages messages;
  send(to, std::as_bytes(std::span(&size, 1)), traffic, messages);
  if (size > 0)
    for_pieces(bytes,
               [&](std::span<const std::byte> piece) { send(to, piece, traffic, messages); });
  wait(messages);
}

std::vector<std::byte> Mailbox::receive_all(int from) {
  std::uint64_t size = 0;
  Messages messages;
  receive(from, std::as_writable_bytes(std::span(&size, 1)), messages);
  wait(messages);
  std::vector<std::byte> bytes(size);
  if (size > 0)
    for_pieces(std::span(bytes),
               [&](std::span<std::byte> piece) { receive(from, piece, messages); });
  wait(messages);
  return bytes;
}

int Mailbox::max(int value) {
  std::vector<double> all(static_cast<std::size_t>(num_ranks()));
  const double mine = value;
  const std::vector<std::size_t> counts(all.size(), 1);
  all_gather({&mine, 1}, all, counts, Traffic::kControl);
  return static_cast<int>(std::ranges::max(all));
}

}  // namespace localbatch
