#pragma once

#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "comm/mailbox.h"
#include "comm/process_group.h"

namespace localbatch {

/// Thrown when another rank could not go on, on ranks that have no failure of their own to report.
struct FailedElsewhere : std::exception {
  const char* what() const noexcept override { return "another rank reports the failure"; }
};

/// Runs `build` and finds out whether all ranks could: a rank that fails alone would leave the
/// others waiting for it. The first one that failed throws its own error, the others
/// FailedElsewhere. Collective.
template <class Build>
auto agree(ProcessGroup& processes, const Build& build) {
  std::optional<decltype(build())> built;
  std::exception_ptr error;
  try {
    built = build();
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  const int rank = processes.rank(), ranks = processes.num_ranks();
  const int first_failed = ranks - Mailbox(processes).max(error ? ranks - rank : 0);
  if (first_failed == rank) std::rethrow_exception(error);
  if (first_failed < ranks) throw FailedElsewhere();
  return std::move(*built);
}

/// Something that all ranks must have alike, and what a message calls it.
struct SharedFact {
  std::string name;
  std::string value;
};

/// Refuses ranks that differ. The first rank whose facts are not those of rank 0 throws an
/// InputError that names itself, the first fact that differs and both values; the others throw
/// FailedElsewhere. Collective; rank 0 sends its facts to every other rank once.
void require_same(const std::vector<SharedFact>& facts, ProcessGroup& processes);

/// The texts of all ranks in rank order, on every rank. Collective; for texts of a page or two.
std::vector<std::string> gather_texts(const std::string& mine, ProcessGroup& processes);

}  // namespace localbatch
