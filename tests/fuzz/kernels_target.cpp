#include <string>

#include "fuzz/fuzz_target.h"
#include "nn/kernels_file.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  localbatch::read_or_refuse(
      [&] { localbatch::parse_kernels(std::string(bytes, bytes + size), "fuzz.yaml"); });
  return 0;
}
