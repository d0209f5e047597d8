#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string_view>
#include <utility>

namespace localbatch {

/// A person's mistake in an experiment file, a command line or a data file: one line that says
/// where, what was found and what is allowed. The program ends with exit status 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The world failed: a disk, a network, another process. The program ends with exit status 1.
struct SystemError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void fail_input(fmt::format_string<Args...> text, Args&&... args) {
  throw InputError(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail_system(fmt::format_string<Args...> text, Args&&... args) {
  throw SystemError(fmt::format(text, std::forward<Args>(args)...));
}

/// Stops the program because one of our own assumptions does not hold; never compiled out.
[[noreturn]] void broken(std::string_view assumption);

inline void check(bool holds, std::string_view assumption) {
  if (!holds) broken(assumption);
}

}  // namespace localbatch
