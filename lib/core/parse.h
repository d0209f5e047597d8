#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace localbatch {

/// Up to here each integer is a double: columns of positions end there, and so do the integers of
/// experiment files, sums and products of a few of which have room in 64 bits.
inline constexpr std::int64_t kLargestInteger = std::int64_t{1} << 53;

// What a text says when all of it is read; nothing where it says anything else.

/// "0.5", "5e-4", "+1"; also "nan" and "inf".
std::optional<double> number_in(std::string_view text);

/// "64"; also "2e4" and "20000.0", what people write for a large budget, up to kLargestInteger.
std::optional<std::int64_t> integer_in(std::string_view text);

/// True and false as YAML's core schema writes them.
std::optional<bool> flag_in(std::string_view text);

}  // namespace localbatch
