#pragma once

#include <exception>
#include <filesystem>
#include <functional>
#include <string>

namespace localbatch {

class ProcessGroup;

/// A check of the installed program on the machine at hand, and what it came to.
struct SelfCheck {
  std::string name;
  std::string difference = {};  ///< of what was found from what must be; empty: none
  double seconds = 0;
};

struct SelfTestRequest {
  std::filesystem::path output;  ///< on whose file system runs write; nothing stays there
  /// As RunEvents::on_failure, for the ranks of a run among which one fails.
  std::function<void(std::exception_ptr)> on_failure = {};
};

/// Runs all checks, which need no file: kernels against plain loops and each other, on every rank;
/// an average over all ranks against its definition; the bytes of a short run on one rank and on
/// all; a run that stops behind a checkpoint and goes on. Rank 0 hears of each when it has ended.
/// Returns whether all have passed. Collective. Throws an InputError where nothing can be written.
bool self_test(const SelfTestRequest& request, ProcessGroup& processes,
               const std::function<void(const SelfCheck&)>& on_check);

}  // namespace localbatch
