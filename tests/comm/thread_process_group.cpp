#include "comm/thread_process_group.h"

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

#include "core/error.h"

namespace localbatch {

namespace {

/// What each rank offers the others between two meetings.
struct Offer {
  const void* data = nullptr;
  std::span<const std::size_t> counts{};
  int value = 0;
};

struct SharedTable {
  explicit SharedTable(int num_ranks) : offers(num_ranks), meeting(num_ranks) {}

  std::vector<Offer> offers;
  std::barrier<> meeting;
};

class ThreadRank final : public ProcessGroup {
 public:
  ThreadRank(SharedTable& table, int rank) : table_(table), rank_(rank) {}

  int rank() const override { return rank_; }
  int num_ranks() const override { return static_cast<int>(table_.offers.size()); }

  void exchange(std::span<const float> send, std::span<const std::size_t> send_counts,
                std::span<float> receive, std::span<const std::size_t> receive_counts) override {
    offer({.data = send.data(), .counts = send_counts});
    std::size_t received = 0;
    for (int from = 0; from < num_ranks(); ++from) {
      const Offer& offer = table_.offers[from];
      check(offer.counts[rank_] == receive_counts[from], "what is sent is what is awaited");
      const std::size_t begin =
          std::accumulate(offer.counts.begin(), offer.counts.begin() + rank_, std::size_t{0});
      std::copy_n(static_cast<const float*>(offer.data) + begin, receive_counts[from],
                  receive.begin() + received);
      received += receive_counts[from];
    }
    check(received == receive.size(), "an exchange fills its buffer");
    table_.meeting.arrive_and_wait();
  }

  void gather_all(std::span<const float> mine, std::span<float> all,
                  std::span<const std::size_t> counts) override {
    gather_all_of(mine, all, counts);
  }
  void gather_all(std::span<const double> mine, std::span<double> all,
                  std::span<const std::size_t> counts) override {
    gather_all_of(mine, all, counts);
  }

  int max(int value) override {
    offer({.value = value});
    int largest = value;
    for (const Offer& other : table_.offers) largest = std::max(largest, other.value);
    table_.meeting.arrive_and_wait();
    return largest;
  }

 private:
  void offer(const Offer& mine) {
    table_.offers[rank_] = mine;
    table_.meeting.arrive_and_wait();
  }

  template <class T>
  void gather_all_of(std::span<const T> mine, std::span<T> all,
                     std::span<const std::size_t> counts) {
    check(mine.size() == counts[rank_], "a part has the size that everybody awaits");
    offer({.data = mine.data()});
    std::size_t begin = 0;
    for (int from = 0; from < num_ranks(); ++from) {
      std::copy_n(static_cast<const T*>(table_.offers[from].data), counts[from],
                  all.begin() + begin);
      begin += counts[from];
    }
    check(begin == all.size(), "the parts fill the whole");
    table_.meeting.arrive_and_wait();
  }

  SharedTable& table_;
  int rank_;
};

}  // namespace

void run_simulated_ranks(int num_ranks, const std::function<void(ProcessGroup&)>& rank_main) {
  SharedTable table(num_ranks);
  std::vector<std::jthread> ranks;
  ranks.reserve(num_ranks);
  for (int rank = 0; rank < num_ranks; ++rank)
    ranks.emplace_back([&, rank] {
      ThreadRank processes(table, rank);
      rank_main(processes);
    });
}

}  // namespace localbatch
