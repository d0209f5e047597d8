#include <span>

#include "core/state.h"
#include "fuzz/fuzz_target.h"
#include "run/checkpoints.h"
#include "train/round.h"

using namespace localbatch;

namespace {

void read_state(std::span<const std::byte> bytes) {
  StateReader reader(bytes);
  Progress progress;
  visit_state(reader, progress);
  bool flag = false;
  reader.visit("flag", flag);
  reader.finish();
}

}  // namespace

/// Once as a file, whose sections are read as state, and once as a state that no checksum guards.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto input = std::as_bytes(std::span(bytes, size));
  read_or_refuse([&] {
    for (const std::span<const std::byte> section : checkpoint_sections(input)) {
      check(section.data() >= input.data() &&
                section.data() + section.size() <= input.data() + input.size(),
            "a section is a part of its file");
      read_state(section);
    }
  });
  read_or_refuse([&] { read_state(input); });
  return 0;
}
