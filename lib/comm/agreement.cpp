#include "comm/agreement.h"

#include <algorithm>
#include <span>

#include "comm/mailbox.h"
#include "core/error.h"

namespace localbatch {

namespace {

void send(Mailbox& mailbox, int to, const std::string& text) {
  mailbox.send_all(to, std::as_bytes(std::span(text)), Traffic::kControl);
}

std::string receive(Mailbox& mailbox, int from) {
  const std::vector<std::byte> bytes = mailbox.receive_all(from);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Names and values, each behind its length, as they may hold any bytes.
std::string packed(const std::vector<SharedFact>& facts) {
  std::string text;
  for (const SharedFact& fact : facts)
    for (const std::string& part : {fact.name, fact.value})
      text += std::to_string(part.size()) + ' ' + part;
  return text;
}

std::vector<SharedFact> unpacked(const std::string& text) {
  std::size_t at = 0;
  const auto next = [&] {
    std::size_t digits = 0;
    const std::size_t size = std::stoul(text.substr(at), &digits);
    std::string part = text.substr(at + digits + 1, size);
    at += digits + 1 + size;
    return part;
  };
  std::vector<SharedFact> facts;
  while (at < text.size()) {
    std::string name = next();
    facts.push_back({std::move(name), next()});
  }
  return facts;
}

void compare(const std::vector<SharedFact>& mine, const std::vector<SharedFact>& first, int rank) {
  for (std::size_t i = 0; i < std::max(mine.size(), first.size()); ++i) {
    const bool both = i < mine.size() && i < first.size() && mine[i].name == first[i].name;
    if (!both)
      fail_input("rank {}: {} is on rank {} only, expected the same on all ranks", rank,
                 i < mine.size() ? mine[i].name : first[i].name, i < mine.size() ? rank : 0);
    if (mine[i].value != first[i].value)
      fail_input("rank {}: {}: found '{}', expected '{}' as on rank 0", rank, mine[i].name,
                 mine[i].value, first[i].value);
  }
}

}  // namespace

void require_same(const std::vector<SharedFact>& facts, ProcessGroup& processes) {
  Mailbox mailbox(processes);
  if (processes.rank() == 0) {
    const std::string text = packed(facts);
    for (int rank = 1; rank < processes.num_ranks(); ++rank) send(mailbox, rank, text);
  }
  agree(processes, [&] {
    if (processes.rank() != 0) compare(facts, unpacked(receive(mailbox, 0)), processes.rank());
    return true;
  });
}

std::vector<std::string> gather_texts(const std::string& mine, ProcessGroup& processes) {
  Mailbox mailbox(processes);
  mailbox.max(0);  // a rank that does not come is missed by all others, not by rank 0 alone
  std::vector<std::string> texts{mine};
  if (processes.rank() == 0) {
    for (int rank = 1; rank < processes.num_ranks(); ++rank)
      texts.push_back(receive(mailbox, rank));
    for (int rank = 1; rank < processes.num_ranks(); ++rank)
      for (const std::string& text : texts) send(mailbox, rank, text);
  } else {
    send(mailbox, 0, mine);
    texts.clear();
    for (int rank = 0; rank < processes.num_ranks(); ++rank) texts.push_back(receive(mailbox, 0));
  }
  return texts;
}

}  // namespace localbatch
