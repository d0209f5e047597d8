#include <span>

#include "core/safetensors.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::size_t numbers = 0;
  read_or_refuse([&] {
    for (const StoredTensor& tensor :
         parse_safetensors(std::as_bytes(std::span(bytes, size)), "fuzz.safetensors")) {
      numbers += tensor.bytes.size();
      read_or_refuse([&] {
        check(floats_of(tensor, "fuzz.safetensors").size() == tensor.size(),
              "a tensor has as many values as its shape says");
      });
    }
  });
  check(numbers <= size, "no number belongs to two tensors");
  return 0;
}
