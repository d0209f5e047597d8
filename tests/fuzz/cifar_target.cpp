#include <span>

#include "data/cifar.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

/// Reads the input as CIFAR-10 and as CIFAR-100.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  for (const CifarFormat& format :
       {CifarFormat{.label_limits = {10}}, CifarFormat{.label_limits = {20, 100}}})
    read_or_refuse([&] {
      ImageSet set;
      append_cifar_records(set, format, std::span(bytes, size), "fuzz.bin");
      check(set.size() * format.record_size() == size, "every byte belongs to a record");
      check(set.pixels.size() == set.size() * 3072, "every label has an image");
    });
  return 0;
}
