#include "comm/ledger.h"

#include <vector>

#include "comm/communicator.h"

namespace localbatch {

namespace {

constexpr std::array<std::int64_t Ledger::Total::*, 3> kFields{
    &Ledger::Total::messages, &Ledger::Total::bytes, &Ledger::Total::bytes_between_hosts};

}  // namespace

Ledger& Ledger::operator+=(const Ledger& other) {
  for (std::size_t kind = 0; kind < entries.size(); ++kind)
    for (const auto field : kFields) entries[kind].*field += other.entries[kind].*field;
  return *this;
}

std::int64_t Ledger::bytes() const {
  std::int64_t sum = 0;
  for (const Total& entry : entries) sum += entry.bytes;
  return sum;
}

void visit_state(StateVisitor& visitor, Ledger& ledger) {
  for (Ledger::Total& entry : ledger.entries)
    for (const auto field : kFields) visitor.visit("ledger", entry.*field);
}

Ledger Communicator::ledger_of_all() {
  Ledger ledger = this->ledger();
  std::vector<double> numbers;
  for (const Ledger::Total& entry : ledger.entries)
    for (const auto field : kFields) numbers.push_back(static_cast<double>(entry.*field));
  sum(numbers, Traffic::kControl);
  auto number = numbers.begin();
  for (Ledger::Total& entry : ledger.entries)
    for (const auto field : kFields) entry.*field = static_cast<std::int64_t>(*number++);
  return ledger;
}

}  // namespace localbatch
