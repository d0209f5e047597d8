#include "comm/thread_process_group.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <tuple>
#include <utility>

#include "comm/agreement.h"
#include "core/error.h"

namespace localbatch {

namespace {

using Bytes = std::vector<std::byte>;

/// Messages that nobody has received yet, by channel, sender and receiver.
struct Post {
  std::mutex mutex;
  std::map<std::tuple<int, int, int>, std::deque<Bytes>> messages;
};

class ThreadRank final : public ProcessGroup {
 public:
  ThreadRank(Post& post, const std::vector<int>& hosts, int rank, int channel = 0)
      : post_(post), hosts_(hosts), rank_(rank), channel_(channel) {}

  int rank() const override { return rank_; }
  int num_ranks() const override { return static_cast<int>(hosts_.size()); }
  const std::vector<int>& hosts() const override { return hosts_; }

  Ticket start_send(int to, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(post_.mutex);
    post_.messages[{channel_, rank_, to}].emplace_back(bytes.begin(), bytes.end());
    return new_ticket();
  }

  /// Receipts of one sender are served in the order in which they were asked for.
  Ticket start_receive(int from, std::span<std::byte> bytes) override {
    const Ticket ticket = new_ticket();
    awaited_[from].emplace_back(ticket, bytes);
    unfinished_[ticket] = from;
    return ticket;
  }

  bool has_finished(Ticket ticket) override {
    const auto found = unfinished_.find(ticket);
    if (found == unfinished_.end()) return true;
    const int from = found->second;
    const std::lock_guard lock(post_.mutex);
    std::deque<Bytes>& messages = post_.messages[{channel_, from, rank_}];
    auto& awaited = awaited_[from];
    while (!messages.empty() && !awaited.empty()) {
      check(messages.front().size() == awaited.front().second.size(),
            "what is sent is what is awaited");
      std::ranges::copy(messages.front(), awaited.front().second.begin());
      unfinished_.erase(awaited.front().first);
      messages.pop_front();
      awaited.pop_front();
    }
    return !unfinished_.contains(ticket);
  }

  ProcessGroup& side_channel() override {
    check(channel_ == 0, "there is one side channel");
    if (!side_channel_) side_channel_ = std::make_unique<ThreadRank>(post_, hosts_, rank_, 1);
    side_channel_->set_patience(patience());
    return *side_channel_;
  }

 private:
  Ticket new_ticket() { return next_ticket_++; }

  Post& post_;
  const std::vector<int>& hosts_;
  int rank_, channel_;
  std::unique_ptr<ThreadRank> side_channel_;
  Ticket next_ticket_ = 0;
  std::map<int, std::deque<std::pair<Ticket, std::span<std::byte>>>> awaited_;
  std::map<Ticket, int> unfinished_;
};

}  // namespace

void run_simulated_ranks(const std::vector<int>& hosts,
                         const std::function<void(ProcessGroup&)>& rank_main) {
  Post post;
  std::vector<std::jthread> ranks;
  for (int rank = 0; rank < static_cast<int>(hosts.size()); ++rank)
    ranks.emplace_back([&, rank] {
      ThreadRank processes(post, hosts, rank);
      try {
        rank_main(processes);
      } catch (const FailedElsewhere&) {  // the rank that failed says why
      } catch (const std::exception& error) {
        fmt::print(stderr, "simulated rank {}: {}\n", rank, error.what());
        std::abort();  // others may wait for its messages
      }
    });
}

void run_simulated_ranks(int num_ranks, const std::function<void(ProcessGroup&)>& rank_main) {
  run_simulated_ranks(std::vector<int>(static_cast<std::size_t>(num_ranks)), rank_main);
}

}  // namespace localbatch
