#include "comm/process_group.h"

// The C++ bindings have been removed from MPI, but some installations still include them by
// default.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1

#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <limits>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "comm/launch.h"
#include "comm/mailbox.h"
#include "core/error.h"

namespace localbatch {

namespace {

class SingleProcess final : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int num_ranks() const override { return 1; }
  const std::vector<int>& hosts() const override { return hosts_; }

  Ticket start_send(int, std::span<const std::byte>) override { internal_error(kAlone); }
  Ticket start_receive(int, std::span<std::byte>) override { internal_error(kAlone); }
  bool has_finished(Ticket) override { internal_error(kAlone); }
  ProcessGroup& side_channel() override { return *this; }

 private:
  static constexpr std::string_view kAlone = "a process alone sends no messages";

  std::vector<int> hosts_{0};
};

}  // namespace

std::unique_ptr<ProcessGroup> single_process() { return std::make_unique<SingleProcess>(); }

namespace {

void require_success(int code, std::string_view call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail_system("{}: {}", call, std::string_view(text, length));
}

bool mpi_has_started() {
  int started = 0;
  MPI_Initialized(&started);
  return started != 0;
}

bool mpi_has_ended() {
  int ended = 0;
  MPI_Finalized(&ended);
  return ended != 0;
}

int as_int(std::size_t count) {
  check(count <= static_cast<std::size_t>(std::numeric_limits<int>::max()),
        "what travels at once fits the int counts of MPI");
  return static_cast<int>(count);
}

/// Ranks that share memory are on one host; its number is the smallest rank there.
std::vector<int> find_hosts(int rank, int num_ranks) {
  MPI_Comm neighbours = MPI_COMM_NULL;
  require_success(
      MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &neighbours),
      "MPI_Comm_split_type");
  int host = rank;
  require_success(MPI_Allreduce(&rank, &host, 1, MPI_INT, MPI_MIN, neighbours), "MPI_Allreduce");
  require_success(MPI_Comm_free(&neighbours), "MPI_Comm_free");
  std::vector<int> hosts(static_cast<std::size_t>(num_ranks));
  require_success(MPI_Allgather(&host, 1, MPI_INT, hosts.data(), 1, MPI_INT, MPI_COMM_WORLD),
                  "MPI_Allgather");
  return hosts;
}

/// Looks after a call of MPI that waits for all ranks and cannot be given up.
class Watchdog {
 public:
  Watchdog(const Patience& patience, std::string_view call) {
    if (patience.seconds <= 0 || !patience.give_up) return;
    thread_ = std::jthread([&patience, call](const std::stop_token& call_has_ended) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any never;
      constexpr double kYears = 1e8;  // clocks count nanoseconds, which have an end
      never.wait_for(lock, call_has_ended,
                     std::chrono::duration<double>(std::min(patience.seconds, kYears)),
                     [] { return false; });
      if (!call_has_ended.stop_requested())
        patience.give_up(fmt::format("{}: not all ranks have come within {} s: one of them hangs",
                                     call, patience.seconds));
    });
  }

 private:
  std::jthread thread_;
};

/// MPI_Finalize runs even when the constructor of the group throws.
class MpiSession {
 public:
  explicit MpiSession(const Patience& patience) : patience_(patience) {
    check(!mpi_has_started(), "MPI starts once per process");
    const Watchdog watchdog(patience_, "MPI_Init_thread");
    require_success(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &thread_level_),
                    "MPI_Init_thread");
  }
  ~MpiSession() {
    const Watchdog watchdog(patience_, "MPI_Finalize");
    MPI_Finalize();
  }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int thread_level() const { return thread_level_; }

 private:
  const Patience patience_;
  int thread_level_ = MPI_THREAD_SINGLE;
};

/// Without a common MPI each process would act as if it were the whole job.
void refuse_unconnected_processes(int num_ranks) {
  if (const auto unconnected = find_unconnected_processes(
          launch_environment(), num_ranks, "localbatch ...", mpi_library(mpi_library_version())))
    fail_input("{}; {}", unconnected->found, unconnected->advice);
}

/// What all channels of this process have in common.
struct MpiRanks {
  int rank = 0, num_ranks = 1;
  std::vector<int> hosts;
  std::mutex calls;  ///< MPI_THREAD_SERIALIZED allows one at a time
};

/// The ranks of MPI, with messages of one tag.
class MpiChannel : public ProcessGroup {
 public:
  MpiChannel(MpiRanks& ranks, int tag) : ranks_(ranks), tag_(tag) {}

  int rank() const override { return ranks_.rank; }
  int num_ranks() const override { return ranks_.num_ranks; }
  const std::vector<int>& hosts() const override { return ranks_.hosts; }

  Ticket start_send(int to, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(ranks_.calls);
    const Ticket ticket = free_ticket();
    require_success(MPI_Isend(bytes.data(), as_int(bytes.size()), MPI_BYTE, to, tag_,
                              MPI_COMM_WORLD, &requests_[ticket]),
                    "MPI_Isend");
    return ticket;
  }

  Ticket start_receive(int from, std::span<std::byte> bytes) override {
    const std::lock_guard lock(ranks_.calls);
    const Ticket ticket = free_ticket();
    require_success(MPI_Irecv(bytes.data(), as_int(bytes.size()), MPI_BYTE, from, tag_,
                              MPI_COMM_WORLD, &requests_[ticket]),
                    "MPI_Irecv");
    return ticket;
  }

  bool has_finished(Ticket ticket) override {
    const std::lock_guard lock(ranks_.calls);
    int finished = 0;
    require_success(MPI_Test(&requests_[ticket], &finished, MPI_STATUS_IGNORE), "MPI_Test");
    if (finished != 0) free_.push_back(ticket);
    return finished != 0;
  }

  ProcessGroup& side_channel() override { internal_error("there is one side channel"); }

 private:
  Ticket free_ticket() {
    if (free_.empty()) {
      free_.push_back(requests_.size());
      requests_.push_back(MPI_REQUEST_NULL);
    }
    const Ticket ticket = free_.back();
    free_.pop_back();
    return ticket;
  }

  MpiRanks& ranks_;
  int tag_;
  // MPI writes to a request while its message is under way, so none may move.
  std::deque<MPI_Request> requests_;
  std::vector<Ticket> free_;
};

/// MPI's session and ranks, which come before channels and go after them.
struct MpiJob {
  explicit MpiJob(const Patience& patience) : session(patience) {
    require_success(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN),
                    "MPI_Comm_set_errhandler");
    if (session.thread_level() < MPI_THREAD_SERIALIZED)
      fail_system(
          "MPI_Init_thread: this MPI offers thread level {}, but workers are threads and need "
          "MPI_THREAD_SERIALIZED ({})",
          session.thread_level(), static_cast<int>(MPI_THREAD_SERIALIZED));
    require_success(MPI_Comm_rank(MPI_COMM_WORLD, &ranks.rank), "MPI_Comm_rank");
    require_success(MPI_Comm_size(MPI_COMM_WORLD, &ranks.num_ranks), "MPI_Comm_size");
    refuse_unconnected_processes(ranks.num_ranks);
    const Watchdog watchdog(patience, "MPI_Comm_split_type");
    ranks.hosts = find_hosts(ranks.rank, ranks.num_ranks);
  }

  MpiSession session;
  MpiRanks ranks;
};

class MpiProcesses final : private MpiJob, public MpiChannel {
 public:
  explicit MpiProcesses(const Patience& patience)
      : MpiJob(patience), MpiChannel(ranks, kTag), side_channel_(ranks, kTag + 1) {
    set_patience(patience);
  }

  /// The others may come much later, one that still writes results for example: here a rank that
  /// does not come is named, which MPI_Finalize could not do.
  ~MpiProcesses() override {
    try {
      Mailbox(*this).max(0);
    } catch (const SystemError& error) {
      if (patience().give_up) patience().give_up(error.what());
    }
  }

  ProcessGroup& side_channel() override {
    side_channel_.set_patience(patience());
    return side_channel_;
  }

 private:
  static constexpr int kTag = 1;

  MpiChannel side_channel_;
};

}  // namespace

std::unique_ptr<ProcessGroup> mpi_processes(const Patience& patience) {
  return std::make_unique<MpiProcesses>(patience);
}

std::string mpi_library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  require_success(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  const std::string_view whole(text.data(), static_cast<std::size_t>(length));
  const std::string_view name = whole.substr(0, whole.find_first_of(",\n"));
  constexpr std::string_view kMpich = "MPICH Version:\t";
  if (name.starts_with(kMpich)) return "MPICH " + std::string(name.substr(kMpich.size()));
  return std::string(name);
}

void abort_mpi_job(int status) {
  std::fflush(nullptr);
  if (mpi_has_started() && !mpi_has_ended()) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace localbatch
