#include "data/alphabet.h"

#include "core/error.h"

namespace localbatch {

std::vector<std::int32_t> Alphabet::encode(std::string_view text) const {
  const TokenTable token_of = token_table(*this);
  std::vector<std::int32_t> tokens;
  tokens.reserve(text.size());
  for (const char letter : text) {
    const auto byte = static_cast<std::uint8_t>(letter);
    if (token_of[byte] == kNoToken)
      fail_input("byte {}: found {}, which is none of the {} characters of the training text",
                 tokens.size(), byte_text(byte), bytes.size());
    tokens.push_back(token_of[byte]);
  }
  return tokens;
}

std::string Alphabet::decode(std::span<const std::int32_t> tokens) const {
  std::string text;
  text.reserve(tokens.size());
  for (const std::int32_t token : tokens) {
    check(0 <= token && static_cast<std::size_t>(token) < bytes.size(),
          "a token of the alphabet is decoded");
    text.push_back(static_cast<char>(bytes[static_cast<std::size_t>(token)]));
  }
  return text;
}

TokenTable token_table(const Alphabet& alphabet) {
  TokenTable token_of;
  token_of.fill(kNoToken);
  for (std::size_t token = 0; token < alphabet.bytes.size(); ++token)
    token_of[alphabet.bytes[token]] = static_cast<std::int32_t>(token);
  return token_of;
}

Alphabet all_bytes() {
  Alphabet alphabet;
  for (int byte = 0; byte < 256; ++byte) alphabet.bytes.push_back(static_cast<std::uint8_t>(byte));
  return alphabet;
}

void ByteSet::add(std::span<const std::byte> text) {
  for (const std::byte byte : text) has_[std::to_integer<std::size_t>(byte)] = true;
}

Alphabet ByteSet::sorted() const {
  Alphabet alphabet;
  for (std::size_t byte = 0; byte < has_.size(); ++byte)
    if (has_[byte]) alphabet.bytes.push_back(static_cast<std::uint8_t>(byte));
  return alphabet;
}

std::string byte_text(std::uint8_t byte) {
  const bool is_shown = 0x20 < byte && byte < 0x7f;
  return is_shown ? fmt::format("'{}' ({:#04x})", static_cast<char>(byte), byte)
                  : fmt::format("{:#04x}", byte);
}

}  // namespace localbatch
