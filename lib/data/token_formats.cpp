#include "data/token_formats.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "core/error.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// The number at byte `at`, which must be there.
template <class Number>
Number number_at(std::span<const std::byte> bytes, std::size_t at) {
  Number number;
  std::memcpy(&number, bytes.subspan(at, sizeof number).data(), sizeof number);
  return number;
}

struct LlmCVersion {
  std::uint32_t magic, version;
  int bytes_per_token;
};

constexpr std::size_t kLlmCHeader = 256 * sizeof(std::int32_t);
constexpr LlmCVersion kLlmCVersions[] = {{20240520, 1, 2}, {20240801, 7, 4}};

const LlmCVersion* llm_c_version(std::span<const std::byte> file) {
  if (file.size() < sizeof(std::uint32_t)) return nullptr;
  const auto* const found =
      std::ranges::find(kLlmCVersions, number_at<std::uint32_t>(file, 0), &LlmCVersion::magic);
  return found == std::end(kLlmCVersions) ? nullptr : found;
}

}  // namespace

bool is_llm_c(std::span<const std::byte> file) { return llm_c_version(file) != nullptr; }

TokenLayout llm_c_layout(std::span<const std::byte> file, const fs::path& path) {
  if (file.size() < kLlmCHeader)
    fail_input("{}: found {} bytes, expected an llm.c header of {}", path.string(), file.size(),
               kLlmCHeader);
  const LlmCVersion* const version = llm_c_version(file);
  if (version == nullptr)
    fail_input("{}: found magic number {}, expected one of llm.c's: {} or {}", path.string(),
               number_at<std::uint32_t>(file, 0), kLlmCVersions[0].magic, kLlmCVersions[1].magic);
  if (const auto found = number_at<std::uint32_t>(file, 4); found != version->version)
    fail_input("{}: found version {}, expected {} behind the magic number {}", path.string(), found,
               version->version, version->magic);
  const std::uint64_t tokens = number_at<std::uint32_t>(file, 8);
  if (tokens == 0) fail_input("{}: found 0 tokens, expected at least 1", path.string());
  const std::uint64_t expected =
      kLlmCHeader + tokens * static_cast<std::uint64_t>(version->bytes_per_token);
  if (file.size() != expected)
    fail_input("{}: found {} bytes, expected {}: a header of {} and {} tokens of {}", path.string(),
               file.size(), expected, kLlmCHeader, tokens, version->bytes_per_token);
  return {.begin = kLlmCHeader, .bytes_per_token = version->bytes_per_token};
}

TokenLayout raw_u16_layout(std::span<const std::byte> file, const fs::path& path) {
  if (file.empty() || file.size() % 2 != 0)
    fail_input("{}: found {} bytes, expected a positive even number: tokens of two bytes",
               path.string(), file.size());
  return {.begin = 0, .bytes_per_token = 2};
}

namespace {

// In the order of the file; the two zeros at the end of the magic text are part of it.
constexpr std::string_view kMegatronMagic{"MMIDIDX\0\0", 9};
constexpr std::size_t kVersionAt = 9, kTypeAt = 17, kSequencesAt = 18, kDocumentsAt = 26;
constexpr std::size_t kLengthsAt = 34;

int bytes_of_type(std::uint8_t type, const fs::path& path) {
  if (type == 1) return 1;
  if (type == 4) return 4;
  if (type == 8) return 2;
  fail_input(
      "{}: found tokens of type {}, expected 1 (8 bits), 4 (32 bits) or 8 (16 bits, unsigned)",
      path.string(), type);
}

/// Numbers of items in an index, whose size they must explain.
struct MegatronCounts {
  std::uint64_t sequences, documents;
};

MegatronCounts megatron_counts(std::span<const std::byte> index, const fs::path& path) {
  constexpr std::uint64_t kPerSequence = sizeof(std::int32_t) + sizeof(std::int64_t);
  constexpr std::uint64_t kPerDocument = sizeof(std::int64_t);
  const MegatronCounts counts{.sequences = number_at<std::uint64_t>(index, kSequencesAt),
                              .documents = number_at<std::uint64_t>(index, kDocumentsAt)};
  const std::uint64_t rest = index.size() - kLengthsAt;
  // Counts that are too large for the file would overflow in the sum.
  const bool fit =
      counts.sequences <= rest / kPerSequence && counts.documents <= rest / kPerDocument;
  if (!fit || rest != counts.sequences * kPerSequence + counts.documents * kPerDocument)
    fail_input(
        "{}: found {} bytes, expected as many as its header counts: {} and 12 for each of {} "
        "sequences and 8 for each of {} entries of documents",
        path.string(), index.size(), kLengthsAt, counts.sequences, counts.documents);
  if (counts.sequences == 0)
    fail_input("{}: found 0 sequences, expected at least 1", path.string());
  return counts;
}

bool is_megatron_index(std::span<const std::byte> index) {
  return index.size() >= kMegatronMagic.size() &&
         std::memcmp(index.data(), kMegatronMagic.data(), kMegatronMagic.size()) == 0;
}

}  // namespace

TokenLayout megatron_layout(std::span<const std::byte> index, const fs::path& path,
                            std::uint64_t size, const fs::path& bin) {
  if (index.size() < kLengthsAt)
    fail_input("{}: found {} bytes, expected a Megatron index, whose header has {}", path.string(),
               index.size(), kLengthsAt);
  if (!is_megatron_index(index))
    fail_input(
        "{}: found other bytes than 'MMIDIDX' at the beginning, with which a Megatron index "
        "begins",
        path.string());
  if (const auto version = number_at<std::uint64_t>(index, kVersionAt); version != 1)
    fail_input("{}: found version {}, expected 1", path.string(), version);
  const int width = bytes_of_type(number_at<std::uint8_t>(index, kTypeAt), path);
  const std::uint64_t sequences = megatron_counts(index, path).sequences;
  const std::uint64_t pointers_at = kLengthsAt + sequences * sizeof(std::int32_t);
  std::uint64_t bytes = 0;  // of the sequences so far: below 2^31 times 4 times their number
  for (std::uint64_t i = 0; i < sequences; ++i) {
    const auto length = number_at<std::int32_t>(index, kLengthsAt + i * sizeof(std::int32_t));
    const auto pointer = number_at<std::int64_t>(index, pointers_at + i * sizeof(std::int64_t));
    if (length < 0)
      fail_input("{}: sequence {}: found length {}, expected 0 or more", path.string(), i, length);
    if (pointer < 0 || static_cast<std::uint64_t>(pointer) != bytes)
      fail_input("{}: sequence {}: found its first byte at {}, expected {}, behind the one before",
                 path.string(), i, pointer, bytes);
    bytes += static_cast<std::uint64_t>(length) * static_cast<std::uint64_t>(width);
  }
  if (bytes == 0) fail_input("{}: found 0 tokens, expected at least 1", path.string());
  if (size != bytes)
    fail_input("{}: found {} bytes, expected {}, which {} describes", bin.string(), size, bytes,
               path.string());
  return {.begin = 0, .bytes_per_token = width};
}

}  // namespace localbatch
