// A library to be loaded before all others (LD_PRELOAD): one rank of a job stops (SIGSTOP) when it
// comes to its n-th call of MPI, as a process does whose host hangs. Environment variables say
// which one:
//   STOPPING_RANK    the rank, as Open MPI's launcher numbers it
//   STOPPING_NUMBER  the call, counted from 1; 0: none
//   STOPPING_REPORT  a file that gets the name of the call, or at the end of the process the number
//   of calls; "MPI has started" when it has, behind a stop on the way there
// MPI_Test is not counted: how often a rank looks is a matter of time.

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1

#include <mpi.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

/// Whole or not there at all, as somebody waits for it.
void report(const std::string& text) {
  const std::string path = setting("STOPPING_REPORT"), beside = path + ".new";
  std::FILE* const file = std::fopen(beside.c_str(), "w");
  if (file == nullptr) return;
  std::fputs(text.c_str(), file);
  std::fclose(file);
  std::rename(beside.c_str(), path.c_str());
}

bool is_chosen() {
  const std::string rank = setting("OMPI_COMM_WORLD_RANK");
  return !rank.empty() && rank == setting("STOPPING_RANK");
}

std::atomic<int> calls = 0;

/// Whether this is the call to stop at; returns when the process goes on.
bool count(const char* call) {
  if (!is_chosen() || ++calls != std::atoi(setting("STOPPING_NUMBER").c_str())) return false;
  report(call);
  ::kill(::getpid(), SIGSTOP);
  return true;
}

/// What a process that came to its end reports.
struct AtEnd {
  ~AtEnd() {
    if (is_chosen() && setting("STOPPING_NUMBER") == "0") report(std::to_string(calls));
  }
} at_end;

}  // namespace

extern "C" {

int MPI_Init_thread(int* argc, char*** argv, int wanted, int* provided) {
  const bool was_stopped = count("MPI_Init_thread");
  const int status = PMPI_Init_thread(argc, argv, wanted, provided);
  if (was_stopped) report("MPI has started");
  return status;
}

int MPI_Finalize() {
  count("MPI_Finalize");
  return PMPI_Finalize();
}

int MPI_Comm_split_type(MPI_Comm group, int kind, int key, MPI_Info info, MPI_Comm* made) {
  count("MPI_Comm_split_type");
  return PMPI_Comm_split_type(group, kind, key, info, made);
}

int MPI_Comm_free(MPI_Comm* group) {
  count("MPI_Comm_free");
  return PMPI_Comm_free(group);
}

int MPI_Barrier(MPI_Comm group) {
  count("MPI_Barrier");
  return PMPI_Barrier(group);
}

int MPI_Allreduce(const void* mine, void* all, int size, MPI_Datatype type, MPI_Op sum,
                  MPI_Comm group) {
  count("MPI_Allreduce");
  return PMPI_Allreduce(mine, all, size, type, sum, group);
}

int MPI_Iallreduce(const void* mine, void* all, int size, MPI_Datatype type, MPI_Op sum,
                   MPI_Comm group, MPI_Request* request) {
  count("MPI_Iallreduce");
  return PMPI_Iallreduce(mine, all, size, type, sum, group, request);
}

int MPI_Allgather(const void* mine, int size, MPI_Datatype type, void* all, int theirs,
                  MPI_Datatype their_type, MPI_Comm group) {
  count("MPI_Allgather");
  return PMPI_Allgather(mine, size, type, all, theirs, their_type, group);
}

int MPI_Iallgather(const void* mine, int size, MPI_Datatype type, void* all, int theirs,
                   MPI_Datatype their_type, MPI_Comm group, MPI_Request* request) {
  count("MPI_Iallgather");
  return PMPI_Iallgather(mine, size, type, all, theirs, their_type, group, request);
}

int MPI_Isend(const void* bytes, int size, MPI_Datatype type, int to, int tag, MPI_Comm group,
              MPI_Request* request) {
  count("MPI_Isend");
  return PMPI_Isend(bytes, size, type, to, tag, group, request);
}

int MPI_Irecv(void* bytes, int size, MPI_Datatype type, int from, int tag, MPI_Comm group,
              MPI_Request* request) {
  count("MPI_Irecv");
  return PMPI_Irecv(bytes, size, type, from, tag, group, request);
}

}  // extern "C"
