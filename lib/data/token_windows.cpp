#include "data/token_windows.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"

namespace localbatch {

namespace {

/// Which of the random numbers for windows these are.
constexpr std::uint32_t kOffset = 0, kStart = 1;

/// Uniform in 0 .. bound - 1, for bounds beyond 32 bits: as many bits as the largest result has,
/// until they are a result, which is after fewer than two tries on average.
std::uint64_t position_below(std::uint64_t bound, RandomStream random) {
  const std::uint64_t mask =
      std::numeric_limits<std::uint64_t>::max() >> std::countl_zero((bound - 1) | 1);
  for (;;) {
    const std::uint64_t high = random.next_u32();
    const std::uint64_t position = (high << 32 | random.next_u32()) & mask;
    if (position < bound) return position;
  }
}

std::optional<TokenTable> table_of(const TokenText& text) {
  if (!text.alphabet) return {};
  return token_table(*text.alphabet);
}

void read_tokens(const TokenStream& stream, const std::optional<TokenTable>& token_of,
                 std::uint64_t first, std::span<std::int32_t> tokens) {
  stream.read(first, tokens);
  if (!token_of) return;
  for (std::int32_t& token : tokens) token = (*token_of)[static_cast<std::uint8_t>(token)];
}

[[noreturn]] void refuse_token(const TokenText& text, const TokenStream& stream,
                               std::uint64_t position) {
  const TokenPlace place = stream.place_of(position);
  std::int32_t found = 0;
  stream.read(position, {&found, 1});
  if (text.alphabet)
    fail_input(
        "{}: byte {}: found {}, which is none of the {} characters of the training text "
        "('vocabulary: bytes' has them all)",
        place.file, place.index, byte_text(static_cast<std::uint8_t>(found)), text.vocabulary);
  fail_input("{}: token {}: found {}, allowed is 0 .. {} (vocabulary_size: {})", place.file,
             place.index, found, text.vocabulary - 1, text.vocabulary);
}

std::uint64_t checksum_of(std::uint64_t before, std::uint64_t next) {
  const std::uint64_t both[] = {before, next};
  return checksum(std::as_bytes(std::span(both)));
}

std::uint64_t scan_stream(const TokenText& text, const TokenStream& stream,
                          const std::optional<TokenTable>& token_of) {
  constexpr std::size_t kBlock = std::size_t{1} << 16;  // part of the format of checkpoints
  std::vector<std::int32_t> block(kBlock);
  std::uint64_t all = stream.size();
  for (std::uint64_t first = 0; first < stream.size(); first += kBlock) {
    const std::span tokens(block.data(), std::min<std::uint64_t>(kBlock, stream.size() - first));
    read_tokens(stream, token_of, first, tokens);
    // As unsigned numbers, of which no token and tokens beyond 2^31 are the largest.
    const auto vocabulary = static_cast<std::uint32_t>(text.vocabulary);
    std::uint32_t largest = 0;
    for (const std::int32_t token : tokens)
      largest = std::max(largest, static_cast<std::uint32_t>(token));
    if (largest >= vocabulary) {
      const auto wrong = std::ranges::find_if(tokens, [&](std::int32_t token) {
        return static_cast<std::uint32_t>(token) >= vocabulary;
      });
      refuse_token(text, stream, first + static_cast<std::uint64_t>(wrong - tokens.begin()));
    }
    all = checksum_of(all, checksum(std::as_bytes(tokens)));
  }
  return all;
}

void check_length(const TokenStream& stream, std::string_view kind, int length) {
  const auto least = static_cast<std::uint64_t>(length) + 1;
  if (stream.size() >= least) return;
  fail_input(
      "dataset: found a {} text of {} tokens ({}), expected at least {}: sequence_length + 1", kind,
      stream.size(), stream.pieces().empty() ? "" : stream.pieces().front().file, least);
}

void refuse_augmentation(const Augmentation& augmentation) {
  const auto refuse = [](std::string_view key, std::string_view found, std::string_view allowed) {
    fail_input("augmentation.{}: found {}, which is for images; allowed here is {}", key, found,
               allowed);
  };
  if (augmentation.pad_crop != 0) refuse("pad_crop", std::to_string(augmentation.pad_crop), "0");
  if (augmentation.flip) refuse("flip", "true", "false");
  if (augmentation.random_resized_crop) refuse("random_resized_crop", "true", "false");
}

/// Windows of one epoch: those that lie in the text whatever the first of them begins with.
std::size_t windows_an_epoch(std::uint64_t tokens, int length) {
  const auto window = static_cast<std::uint64_t>(length);
  const std::uint64_t count = std::max<std::uint64_t>(1, (tokens - window) / window);
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (count > kMost)
    fail_input(
        "dataset.sequence_length: found {}, which cuts the training text into {} windows; "
        "allowed are at most {}",
        length, count, kMost);
  return count;
}

}  // namespace

WindowSettings read_windows(Options& options) {
  WindowSettings windows;
  windows.length = options.integer<int>(
      "sequence_length",
      {.min = 1,
       .max = 1 << 20,
       .meaning = "T: tokens of a window, which is one sample; each is a target as well"});
  windows.random = options.choice<bool>(
      "windows",
      {.fallback = false,
       .choices = {{"disjoint", false}, {"random", true}},
       .meaning = "windows of the training text: disjoint, each once an epoch, from a random place "
                  "among the first T of the text on; or each from a random place of all, "
                  "independent of the others"});
  return windows;
}

Partition read_partition_of_windows(Options& options, const WindowSettings& windows) {
  Partition partition = read_partition_without_classes(options);
  if (windows.random && partition.has_shares)
    options.fail("windows",
                 "found 'random', which draws from the whole text; allowed with 'partition: "
                 "shards' is disjoint");
  return partition;
}

std::uint64_t scan_tokens(const TokenText& text) {
  const std::optional<TokenTable> token_of = table_of(text);
  const std::uint64_t train = scan_stream(text, text.train, token_of);
  const std::uint64_t both = checksum_of(train, scan_stream(text, text.test, token_of));
  // Other characters may be the same tokens.
  if (!text.alphabet || text.alphabet->has_all_bytes()) return both;
  return checksum_of(both, checksum(std::as_bytes(std::span(text.alphabet->bytes))));
}

TokenWindows::TokenWindows(TokenText text, const WindowSettings& windows,
                           const Augmentation& augmentation, TokenScan scan)
    : text_(std::move(text)), windows_(windows), token_of_(table_of(text_)) {
  refuse_augmentation(augmentation);
  check_length(text_.train, "training", windows.length);
  check_length(text_.test, "test", windows.length);
  train_tokens_ = text_.train.size();
  train_windows_ = windows_an_epoch(train_tokens_, windows.length);
  const auto window = static_cast<std::uint64_t>(windows.length);
  test_windows_ = (text_.test.size() - 1 + window - 1) / window;
  if (scan == TokenScan::kAll) content_ = scan_tokens(text_);
}

SampleShape TokenWindows::sample_shape() const {
  return {.input = TokenWindow{.length = windows_.length}, .num_classes = text_.vocabulary};
}

std::uint64_t TokenWindows::first_token(const Draw& draw, std::uint64_t seed) const {
  const auto length = static_cast<std::uint64_t>(windows_.length);
  if (windows_.random) {
    const std::uint64_t index = std::uint64_t{draw.epoch} << 32 | draw.sample;
    return position_below(train_tokens_ - length,
                          RandomStream(seed, Purpose::kTokenWindows, index, kStart));
  }
  const std::uint64_t offsets = std::min(length, train_tokens_ - train_windows_ * length);
  return position_below(offsets, RandomStream(seed, Purpose::kTokenWindows, draw.epoch, kOffset)) +
         draw.sample * length;
}

void TokenWindows::write(const TokenStream& stream, std::uint64_t first, std::size_t targets,
                         const SamplePlace& to) const {
  const std::span inputs(reinterpret_cast<std::int32_t*>(to.input.data()),
                         to.input.size() / sizeof(std::int32_t));
  check(inputs.size() == to.targets.size() && targets <= inputs.size(),
        "a window is written to memory of its size");
  read_tokens(stream, token_of_, first, inputs.first(targets));
  read_tokens(stream, token_of_, first + 1, to.targets.first(targets));
  std::ranges::fill(inputs.subspan(targets), 0);
  std::ranges::fill(to.targets.subspan(targets), -1);
}

void TokenWindows::write_training_sample(const Draw& draw, std::uint64_t seed,
                                         const SamplePlace& to) const {
  write(text_.train, first_token(draw, seed), to.targets.size(), to);
}

bool TokenWindows::write_test_sample(std::size_t index, const SamplePlace& to) const {
  check(index < test_windows_, "a window of the test text is asked for");
  const std::uint64_t first = index * static_cast<std::uint64_t>(windows_.length);
  write(text_.test, first,
        std::min<std::uint64_t>(to.targets.size(), text_.test.size() - 1 - first), to);
  return true;
}

bool TokenWindows::write_plain_training_sample(std::size_t, const SamplePlace&) const {
  internal_error("windows are cut out of a text anew in every epoch");
}

bool TokenWindows::hold_out_end(std::size_t samples) {
  check(samples < train_windows_, "something is left to train on");
  validation_windows_ = samples;
  train_windows_ -= samples;
  train_tokens_ -= samples * static_cast<std::uint64_t>(windows_.length);
  return true;
}

bool TokenWindows::write_validation_sample(std::size_t index, const SamplePlace& to) const {
  check(index < validation_windows_, "a window of the held-out text is asked for");
  const std::uint64_t first =
      train_tokens_ - 1 + index * static_cast<std::uint64_t>(windows_.length);
  write(text_.train, first, to.targets.size(), to);
  return true;
}

std::uint64_t TokenWindows::checksum() const {
  check(content_.has_value(), "an outline has no checksum");
  return validation_windows_ == 0 ? *content_ : checksum_of(*content_, validation_windows_);
}

DatasetFactory windows_of(std::function<TokenText()> open, const WindowSettings& windows,
                          Partition partition) {
  const auto make = [open = std::move(open), windows](TokenScan scan) {
    return [open, windows, scan](const Augmentation& augmentation) {
      return std::make_unique<TokenWindows>(open(), windows, augmentation, scan);
    };
  };
  return {.load = make(TokenScan::kAll),
          .partition = std::move(partition),
          .outline = make(TokenScan::kNone)};
}

}  // namespace localbatch
