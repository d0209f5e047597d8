#include <algorithm>
#include <span>

#include "data/token_formats.h"
#include "data/token_windows.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

namespace {

/// What a layout promises: tokens to the end of the file, which windows can be cut out of.
void look_at_windows(std::span<const std::byte> file, const TokenLayout& layout) {
  const std::span<const std::byte> tokens = file.subspan(layout.begin);
  TokenStream stream;
  stream.append({.file = "tokens",
                 .tokens = tokens,
                 .bytes_per_token = layout.bytes_per_token,
                 .memory = {}});
  check(stream.size() * static_cast<std::uint64_t>(layout.bytes_per_token) == tokens.size(),
        "tokens reach to the end of the file");
  const TokenWindows windows({.train = stream, .test = stream, .vocabulary = 60'000}, {.length = 3},
                             {}, TokenScan::kAll);
  BatchMemory memory(windows.sample_shape(), 1);
  const auto last = static_cast<std::uint32_t>(windows.train_size() - 1);
  windows.write_training_sample({.epoch = 1, .sample = last}, 1, memory.place(0));
  const std::span<const std::int32_t> targets = memory.batch(1).targets;
  check(std::ranges::all_of(targets, [](std::int32_t t) { return 0 <= t && t < 60'000; }),
        "what was not refused is in the vocabulary");
  check(windows.write_test_sample(windows.test_size() - 1, memory.place(0)), "text is not damaged");
}

}  // namespace

/// The first byte says which format; of Megatron's, the second one says how many bytes the file of
/// tokens has, the rest is its index.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const std::span<const std::byte> rest = std::as_bytes(std::span(bytes + 1, size - 1));
  read_or_refuse([&] {
    if (bytes[0] % 3 == 0) {
      look_at_windows(rest, llm_c_layout(rest, "shard.bin"));
    } else if (bytes[0] % 3 == 1) {
      look_at_windows(rest, raw_u16_layout(rest, "raw.bin"));
    } else {
      const std::vector<std::byte> tokens(bytes[1]);
      look_at_windows(tokens,
                      megatron_layout(rest.subspan(1), "text.idx", tokens.size(), "text.bin"));
    }
  });
  return 0;
}
