// Bytes between worker 0 and each of the others.

#include "comm/thread_communicator.h"

namespace localbatch {

void WorkerGroup::collect(int seat, std::span<const std::byte> mine,
                          const std::function<void(int, std::span<const std::byte>)>& take) {
  collected_[static_cast<std::size_t>(seat)] = mine;
  barrier_.wait();
  if (seat == 0 && mailbox_.rank() != 0)
    for (const std::span<const std::byte> bytes : collected_)
      mailbox_.send_all(0, bytes, Traffic::kCheckpoint);
  if (seat == 0 && mailbox_.rank() == 0) {
    int worker = 0;
    for (const std::span<const std::byte> bytes : collected_) take(worker++, bytes);
    for (int rank = 1; rank < mailbox_.num_ranks(); ++rank)
      for (std::size_t i = 0; i < workers_of_rank_[static_cast<std::size_t>(rank)]; ++i)
        take(worker++, mailbox_.receive_all(rank));
  }
  barrier_.wait();
}

Communicator::Bytes WorkerGroup::deal(int seat,
                                      const std::function<Communicator::Bytes(int)>& give) {
  barrier_.wait();
  if (seat == 0 && mailbox_.rank() != 0)
    for (Communicator::Bytes& bytes : dealt_) bytes = mailbox_.receive_all(0);
  if (seat == 0 && mailbox_.rank() == 0) {
    int worker = 0;
    for (Communicator::Bytes& bytes : dealt_) bytes = give(worker++);
    for (int rank = 1; rank < mailbox_.num_ranks(); ++rank)
      for (std::size_t i = 0; i < workers_of_rank_[static_cast<std::size_t>(rank)]; ++i)
        mailbox_.send_all(rank, give(worker++), Traffic::kCheckpoint);
  }
  barrier_.wait();
  return std::move(dealt_[static_cast<std::size_t>(seat)]);
}

}  // namespace localbatch
