// The C++ bindings of MPI are gone from the standard; some installations still need to be told.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <vector>

#include "comm/process_group.h"
#include "core/error.h"

namespace localbatch {

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

/// Counts and the displacements that follow from them, as MPI wants them.
struct Layout {
  std::vector<int> counts;
  std::vector<int> displacements;

  void set(std::span<const std::size_t> sizes, std::size_t total) {
    counts.clear();
    displacements.clear();
    std::size_t begin = 0;
    for (const std::size_t size : sizes) {
      counts.push_back(as_int(size));
      displacements.push_back(as_int(begin));
      begin += size;
    }
    check(begin == total, "the counts of an exchange cover its buffer");
  }
};

/// MPI_Finalize runs even when the constructor of the group throws.
class MpiSession {
 public:
  MpiSession() {
    check(!mpi_has_started(), "MPI starts once per process");
    require_success(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &thread_level_),
                    "MPI_Init_thread");
  }
  ~MpiSession() { MPI_Finalize(); }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int thread_level() const { return thread_level_; }

 private:
  int thread_level_ = MPI_THREAD_SINGLE;
};

/// Without a common MPI each task of srun would take itself for the whole job, and all of them
/// would write the same files.
void refuse_unconnected_tasks() {
  const char* const tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  const bool by_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMI_SIZE");
  if (!tasks || std::string_view(tasks) == "1" || by_mpirun) return;
  fail_input(
      "srun started {} tasks, but MPI does not connect them (each one sees a single rank); start "
      "with 'srun --mpi=pmix', with mpirun, or one task only ('srun -n 1')",
      tasks);
}

class MpiProcesses final : public ProcessGroup {
 public:
  MpiProcesses() {
    require_success(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN),
                    "MPI_Comm_set_errhandler");
    if (session_.thread_level() < MPI_THREAD_SERIALIZED)
      fail_system(
          "MPI_Init_thread: this MPI offers thread level {}, but workers are threads and need "
          "MPI_THREAD_SERIALIZED ({})",
          session_.thread_level(), MPI_THREAD_SERIALIZED);
    require_success(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
    require_success(MPI_Comm_size(MPI_COMM_WORLD, &num_ranks_), "MPI_Comm_size");
    if (num_ranks_ == 1) refuse_unconnected_tasks();
  }

  int rank() const override { return rank_; }
  int num_ranks() const override { return num_ranks_; }

  void exchange(std::span<const float> send, std::span<const std::size_t> send_counts,
                std::span<float> receive, std::span<const std::size_t> receive_counts) override {
    send_.set(send_counts, send.size());
    receive_.set(receive_counts, receive.size());
    require_success(MPI_Alltoallv(send.data(), send_.counts.data(), send_.displacements.data(),
                                  MPI_FLOAT, receive.data(), receive_.counts.data(),
                                  receive_.displacements.data(), MPI_FLOAT, MPI_COMM_WORLD),
                    "MPI_Alltoallv");
  }

  void gather_all(std::span<const float> mine, std::span<float> all,
                  std::span<const std::size_t> counts) override {
    gather_all_of(MPI_FLOAT, mine, all, counts);
  }
  void gather_all(std::span<const double> mine, std::span<double> all,
                  std::span<const std::size_t> counts) override {
    gather_all_of(MPI_DOUBLE, mine, all, counts);
  }

  int max(int value) override {
    int largest = value;
    require_success(MPI_Allreduce(&value, &largest, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD),
                    "MPI_Allreduce");
    return largest;
  }

 private:
  template <class T>
  void gather_all_of(MPI_Datatype type, std::span<const T> mine, std::span<T> all,
                     std::span<const std::size_t> counts) {
    receive_.set(counts, all.size());
    require_success(
        MPI_Allgatherv(mine.data(), as_int(mine.size()), type, all.data(), receive_.counts.data(),
                       receive_.displacements.data(), type, MPI_COMM_WORLD),
        "MPI_Allgatherv");
  }

  MpiSession session_;
  int rank_ = 0;
  int num_ranks_ = 1;
  Layout send_;
  Layout receive_;
};

}  // namespace

std::unique_ptr<ProcessGroup> mpi_processes() { return std::make_unique<MpiProcesses>(); }

std::string mpi_library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  require_success(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  const std::string_view whole(text.data(), static_cast<std::size_t>(length));
  return std::string(whole.substr(0, whole.find_first_of(",\n")));
}

void abort_mpi_job(int status) {
  std::fflush(nullptr);
  if (mpi_has_started() && !mpi_has_ended()) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace localbatch
