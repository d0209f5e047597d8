#include "core/error.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
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

/// Letters to add, take away or change, or pairs of neighbours to exchange, until a is b.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last, row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j - 1] + change, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  std::string nearest;
  // Of three letters two would be another word: "min" is not meant for "max".
  const std::size_t most = word.size() < 4 ? 1 : std::max<std::size_t>(2, word.size() / 3);
  std::size_t best = most + 1;
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
