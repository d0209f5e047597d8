#include <span>

#include "data/idx.h"
#include "fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t kLimit = std::size_t{3} << 19;
  localbatch::read_or_refuse([&] {
    localbatch::check(
        localbatch::gunzip(std::span(bytes, size), "fuzz.gz", kLimit).size() <= kLimit,
        "no more is expanded than allowed");
  });
  return 0;
}
