#include "core/parse.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <system_error>

namespace localbatch {

namespace {

template <class Value>
std::optional<Value> whole(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  Value value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<double> number_in(std::string_view text) { return whole<double>(text); }

std::optional<std::int64_t> integer_in(std::string_view text) {
  if (const auto value = whole<std::int64_t>(text)) return value;
  const std::optional<double> number = whole<double>(text);
  if (!number || !(std::abs(*number) <= static_cast<double>(kLargestInteger)) ||
      *number != std::floor(*number))
    return {};
  return static_cast<std::int64_t>(*number);
}

std::optional<bool> flag_in(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return {};
}

}  // namespace localbatch
