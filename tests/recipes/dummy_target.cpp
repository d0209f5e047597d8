#include "core/error.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  read_or_refuse([&] {
    if (size > 0 && bytes[0] == 'x') fail_input("found x, expected another letter");
  });
  return 0;
}
