#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "comm/agreement.h"
#include "comm/mailbox.h"
#include "comm/simulated_ledger.h"
#include "comm/workers.h"
#include "core/error.h"

namespace localbatch {
namespace {

Ledger total_of_an_average(int num_workers, const std::vector<int>& hosts, Payload payload) {
  return total_of(num_workers, hosts, [&](Communicator& comm) {
    std::vector<float> x(1200);
    const std::vector<Averaged> averaged{{.mine = x, .mean = x, .payload = payload}};
    comm.exchange({.averaged = averaged});
  });
}

TEST_CASE("an average of n numbers sends 2 (R - 1) n of them between R ranks") {
  for (const int ranks : {2, 3, 4}) {
    std::vector<int> apart, together(static_cast<std::size_t>(ranks));
    for (int rank = 0; rank < ranks; ++rank) apart.push_back(rank);
    const std::int64_t bytes = 2 * (ranks - 1) * 1200 * 4;
    for (const std::vector<int>& hosts : {apart, together}) {
      const Ledger ledger = total_of_an_average(ranks, hosts, Payload::kFloat32);
      CHECK(ledger[Traffic::kParameters].bytes == bytes);
      CHECK(ledger[Traffic::kParameters].bytes_between_hosts == (hosts == apart ? bytes : 0));
      CHECK(ledger[Traffic::kParameters].messages == 2 * ranks * (ranks - 1));
      // Ranks wait for each other with empty messages.
      CHECK(ledger[Traffic::kControl].messages == ranks * (ranks - 1));
      CHECK(ledger[Traffic::kControl].bytes == 0);
      CHECK(ledger[Traffic::kState].messages == 0);
    }
    CHECK(total_of_an_average(ranks, apart, Payload::kBfloat16)[Traffic::kParameters].bytes ==
          bytes / 2);
    // 1200 numbers are 37 blocks and a half.
    CHECK(total_of_an_average(ranks, apart, Payload::kInt8)[Traffic::kParameters].bytes ==
          2 * (ranks - 1) * (1200 + 38));
    CHECK(total_of_an_average(ranks, apart, Payload::kInt4)[Traffic::kParameters].bytes ==
          2 * (ranks - 1) * (600 + 38));
  }
}

TEST_CASE("what is too much for one message of MPI goes in several, and nothing in an empty one") {
  for (const int count : {0, 1 << 23, (1 << 23) + 1}) {
    CAPTURE(count);
    const std::int64_t messages = count > 1 << 23 ? 2 : 1;
    run_simulated_ranks(2, [&](ProcessGroup& processes) {
      Mailbox mailbox(processes);
      const auto size = static_cast<std::size_t>(count);
      const std::vector<double> mine(size, processes.rank() + 1);
      std::vector<double> all(2 * size);
      mailbox.all_gather(mine, all, std::vector{size, size}, Traffic::kState);
      check(mailbox.ledger()[Traffic::kState].messages == messages, "as many as are needed");
      check(std::ranges::count(all, 1.0) == count && std::ranges::count(all, 2.0) == count,
            "all numbers arrive");
    });
  }
}

TEST_CASE("a host sends its workers' mean once, however many ranks and workers it has") {
  const std::int64_t between_two_hosts = 2 * 1200 * 4;
  for (const int num_workers : {4, 8, 16}) {
    const Ledger four_ranks = total_of_an_average(num_workers, {0, 0, 1, 1}, Payload::kFloat32);
    CHECK(four_ranks[Traffic::kParameters].bytes_between_hosts == between_two_hosts);
    CHECK(four_ranks[Traffic::kParameters].bytes == between_two_hosts + 2 * 2 * 1200 * 4);
    const Ledger two_ranks = total_of_an_average(num_workers, {0, 1}, Payload::kFloat32);
    CHECK(two_ranks[Traffic::kParameters].bytes_between_hosts == between_two_hosts);
  }
  // Workers 0, 2 and 1, 3 are no neighbours: nothing can be averaged before it leaves.
  const Ledger interleaved = total_of_an_average(4, {0, 1, 0, 1}, Payload::kFloat32);
  CHECK(interleaved[Traffic::kParameters].bytes_between_hosts == 3 * 1200 * 4);
}

TEST_CASE("numbers go from every rank to every other one") {
  const Ledger ledger = total_of(6, {0, 0, 1}, [](Communicator& comm) {
    std::vector<double> numbers(5);
    comm.sum(numbers, Traffic::kStatistics);
  });
  CHECK(ledger[Traffic::kStatistics].messages == 6);
  CHECK(ledger[Traffic::kStatistics].bytes == 2 * 6 * 5 * 8);
  CHECK(ledger[Traffic::kStatistics].bytes_between_hosts == (4 + 2 * 2) * 5 * 8);
}

TEST_CASE("a worker alone, and workers of one process, send nothing") {
  for (const int num_workers : {1, 4}) {
    const Ledger ledger = total_of_an_average(num_workers, {0}, Payload::kFloat32);
    for (const Ledger::Total& entry : ledger.entries) CHECK(entry.messages == 0);
  }
}

TEST_CASE("a rank that does not come is named when the patience of the others is over") {
  using Meeting = std::function<void(ProcessGroup&)>;
  const std::vector<Meeting> meetings{
      [](ProcessGroup& processes) {
        run_workers(3, processes, [](Communicator& comm) {
          std::vector<double> numbers(1);
          comm.sum(numbers, Traffic::kControl);
        });
      },
      [](ProcessGroup& processes) { agree(processes, [] { return 1; }); },
      [](ProcessGroup& processes) { gather_texts("mine", processes); }};
  for (const Meeting& meeting : meetings) {
    std::mutex mutex;
    std::vector<std::string> messages;
    run_simulated_ranks(3, [&](ProcessGroup& processes) {
      processes.set_patience({.seconds = 0.1});
      if (processes.rank() == 1) return;
      try {
        meeting(processes);
      } catch (const Stalled& error) {
        const std::lock_guard lock(mutex);
        messages.emplace_back(error.what());
      }
    });
    REQUIRE(messages.size() == 2);
    CHECK(std::ranges::count(messages,
                             "no message from rank 1 for 0.1 s: it hangs, or does not reach the "
                             "others") >= 1);
  }
}

}  // namespace
}  // namespace localbatch
