#include "comm/agreement.h"

#include <span>

#include "comm/mailbox.h"

namespace localbatch {

std::vector<std::string> gather_texts(const std::string& mine, ProcessGroup& processes) {
  Mailbox mailbox(processes);
  const auto send = [&](int to, const std::string& text) {
    mailbox.send_all(to, std::as_bytes(std::span(text)), Traffic::kControl);
  };
  const auto receive = [&](int from) {
    const std::vector<std::byte> bytes = mailbox.receive_all(from);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  std::vector<std::string> texts{mine};
  if (processes.rank() == 0) {
    for (int rank = 1; rank < processes.num_ranks(); ++rank) texts.push_back(receive(rank));
    for (int rank = 1; rank < processes.num_ranks(); ++rank)
      for (const std::string& text : texts) send(rank, text);
  } else {
    send(0, mine);
    texts.clear();
    for (int rank = 0; rank < processes.num_ranks(); ++rank) texts.push_back(receive(0));
  }
  return texts;
}

}  // namespace localbatch
