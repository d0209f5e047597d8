#include "core/error.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/text.h"

namespace localbatch {

// A message is one line without control characters, whatever a file or a name in it holds.

void throw_input_error(fmt::string_view text, fmt::format_args args) {
  throw InputError(printable(fmt::vformat(text, args)));
}

void throw_system_error(fmt::string_view text, fmt::format_args args) {
  throw SystemError(printable(fmt::vformat(text, args)));
}

void internal_error(std::string_view assumption) {
  fmt::print(stderr, "localbatch: broken invariant: {} [this is a bug]\n", assumption);
  std::abort();
}

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  std::string nearest;
  std::size_t best = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(word, candidates);
  return nearest.empty() ? std::string() : fmt::format(" (did you mean '{}'?)", nearest);
}

std::string allowed_names(std::string_view found, const std::vector<std::string>& allowed) {
  constexpr std::size_t kMostInOneLine = 10;
  const std::string nearest = nearest_name(found, allowed);
  const std::string names = nearest.empty() || allowed.size() <= kMostInOneLine
                                ? join(allowed, " | ")
                                : fmt::format("{} and {} others", nearest, allowed.size() - 1);
  return names + did_you_mean(found, allowed);
}

}  // namespace localbatch
