#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

/// Tokens that are bytes of a text.
struct Alphabet {
  std::vector<std::uint8_t> bytes;  ///< by token, each at most once

  /// Whether every byte is a token, so that none depends on which bytes a text has.
  bool has_all_bytes() const { return bytes.size() == 256; }

  /// The tokens of a text. Throws an InputError that names the first byte that is no token.
  std::vector<std::int32_t> encode(std::string_view text) const;

  /// The text of tokens, each of which must be one of this alphabet.
  std::string decode(std::span<const std::int32_t> tokens) const;
};

/// In a TokenTable: the byte is no token.
inline constexpr std::int32_t kNoToken = -1;

/// The token of each byte.
using TokenTable = std::array<std::int32_t, 256>;

TokenTable token_table(const Alphabet& alphabet);

/// The 256 bytes, each of which is its own token.
Alphabet all_bytes();

/// Which bytes a text has, text by text.
class ByteSet {
 public:
  void add(std::span<const std::byte> text);
  Alphabet sorted() const;

 private:
  std::array<bool, 256> has_{};
};

/// A byte for a person: "'a' (0x61)", "0x0a".
std::string byte_text(std::uint8_t byte);

}  // namespace localbatch
