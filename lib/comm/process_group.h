#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace localbatch {

/// Messages between the processes that share the workers of a run: what the communicator needs of
/// MPI. `rank` is a word of this room only. All calls come from one thread of each process at a
/// time.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  virtual int rank() const = 0;
  virtual int num_ranks() const = 0;

  /// The number of the host that each rank runs on: ranks with the same one share memory.
  virtual const std::vector<int>& hosts() const = 0;

  /// A message under way; its bytes stay untouched until it has finished.
  using Ticket = std::size_t;

  /// Messages between two ranks arrive in the order in which they were sent, and are of the sizes
  /// that the receiver awaits.
  virtual Ticket start_send(int to, std::span<const std::byte> bytes) = 0;
  virtual Ticket start_receive(int from, std::span<std::byte> bytes) = 0;

  /// Moves messages on. A ticket that has finished is void.
  virtual bool has_finished(Ticket ticket) = 0;
};

/// This process alone.
std::unique_ptr<ProcessGroup> single_process();

/// MPI from MPI_Init_thread (here) to MPI_Finalize (in the destructor, collective as well); once
/// per process, as MPI cannot start again. A program started without mpirun is one rank; several
/// that a launcher started and this MPI does not connect are an InputError (comm/launch.h). A
/// failing MPI call is a SystemError that names it.
std::unique_ptr<ProcessGroup> mpi_processes();

/// "Open MPI v4.1.4": one line, as the library names itself.
std::string mpi_library_version();

/// Ends all processes of the job at once, for failures that the other ranks cannot know of: they
/// may wait for us in a collective, and so would MPI_Finalize. Without MPI it ends this process.
[[noreturn]] void abort_mpi_job(int status);

}  // namespace localbatch
