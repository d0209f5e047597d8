#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"

/// What a fuzzer, or replay.cpp, calls with one input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace localbatch {

/// The contract of every reader: it succeeds, or it throws an InputError whose message is one line
/// that a terminal can show. Any other exception passes through and ends the program.
template <class Read>
void read_or_refuse(const Read& read) {
  try {
    read();
  } catch (const InputError& error) {
    const std::string_view message = error.what();
    const bool one_line =
        std::ranges::none_of(message, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (!one_line) fmt::print(stderr, "{}\n", message);
    check(one_line && !message.empty(), "a message is one line without control characters");
  }
}

}  // namespace localbatch
