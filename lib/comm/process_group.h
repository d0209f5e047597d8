#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace localbatch {

/// Another rank has not come in time. It may hang, so that nothing that needs all ranks can follow,
/// MPI_Finalize included: who catches this has to end the job.
struct Stalled : SystemError {
  using SystemError::SystemError;
};

/// How long a process waits for others.
struct Patience {
  double seconds = 1800;  ///< 0: for ever
  /// Called with a message, on a thread of its own, when MPI does not start or end in that time. No
  /// call of MPI can be given up, so it has to end the process.
  std::function<void(const std::string&)> give_up = {};
};

/// Messages between the processes that share the workers of a run: what the communicator needs of
/// MPI. `rank` is a word of this room only. All calls come from one thread of each process at a
/// time; another one may use the side channel meanwhile.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  /// Of all that waits for messages of this group.
  const Patience& patience() const { return patience_; }
  void set_patience(Patience patience) { patience_ = std::move(patience); }

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

  /// The same processes, for messages that do not mix with those of this group. It lives as long as
  /// the group, and has no side channel of its own.
  virtual ProcessGroup& side_channel() = 0;

 private:
  Patience patience_;
};

/// This process alone.
std::unique_ptr<ProcessGroup> single_process();

/// MPI from MPI_Init_thread (here) to MPI_Finalize (in the destructor, collective as well); once
/// per process, as MPI cannot start again. A program started without mpirun is one rank; several
/// that a launcher started and this MPI does not connect are an InputError (comm/launch.h). A
/// failing MPI call is a SystemError that names it.
std::unique_ptr<ProcessGroup> mpi_processes(const Patience& patience = {});

/// "Open MPI v4.1.4", "MPICH 4.0.2": in one line, as the library names itself.
std::string mpi_library_version();

/// Ends all processes of the job at once, for failures that the other ranks cannot know of: they
/// may wait for us in a collective, and so would MPI_Finalize. Without MPI it ends this process.
[[noreturn]] void abort_mpi_job(int status);

}  // namespace localbatch
