#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

/// A person's mistake in an experiment file, a command line or a data file: one line that names
/// the place, what was found and what is allowed. The program ends with exit status 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The world failed: a disk, a network, another process. The program ends with exit status 1.
struct SystemError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void throw_input_error(fmt::string_view text, fmt::format_args args);
[[noreturn]] void throw_system_error(fmt::string_view text, fmt::format_args args);

template <class... Args>
[[noreturn]] void fail_input(fmt::format_string<Args...> text, Args&&... args) {
  throw_input_error(text, fmt::make_format_args(args...));
}

template <class... Args>
[[noreturn]] void fail_system(fmt::format_string<Args...> text, Args&&... args) {
  throw_system_error(text, fmt::make_format_args(args...));
}

/// Stops the program because one of our own assumptions does not hold; never compiled out.
[[noreturn]] void internal_error(std::string_view assumption);

inline void check(bool holds, std::string_view assumption) {
  if (!holds) internal_error(assumption);
}

/// The candidate nearest to `word` by edit distance, empty when none is near.
std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates);

/// " (did you mean 'x'?)" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// What a message about a name that is not allowed ends with: "a | b | c (did you mean 'b'?)"; of
/// more than ten names the nearest stands for all, "b and 26 others (did you mean 'b'?)".
std::string allowed_names(std::string_view found, const std::vector<std::string>& allowed);

}  // namespace localbatch
