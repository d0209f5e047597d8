#include "data/token_stream.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace {

static_assert(std::endian::native == std::endian::little, "tokens are read as they lie in files");

/// Tokens of two and four bytes need not be aligned: the headers of files have any length.
template <class Word>
void widen(const std::byte* from, std::span<std::int32_t> tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    Word word;
    std::memcpy(&word, from + i * sizeof word, sizeof word);
    tokens[i] = static_cast<std::int32_t>(word);
  }
}

void read_piece(const TokenPiece& piece, std::uint64_t first, std::span<std::int32_t> tokens) {
  const auto width = static_cast<std::size_t>(piece.bytes_per_token);
  const std::byte* const from = piece.tokens.subspan(first * width, tokens.size() * width).data();
  if (width == 1)
    widen<std::uint8_t>(from, tokens);
  else if (width == 2)
    widen<std::uint16_t>(from, tokens);
  else
    widen<std::uint32_t>(from, tokens);
}

}  // namespace

void TokenStream::append(TokenPiece piece) {
  const int width = piece.bytes_per_token;
  check(width == 1 || width == 2 || width == 4, "a token has 1, 2 or 4 bytes");
  check(!piece.tokens.empty() && piece.tokens.size() % static_cast<std::size_t>(width) == 0,
        "a piece is a whole number of tokens");
  ends_.push_back(size() + piece.tokens.size() / static_cast<std::size_t>(width));
  pieces_.push_back(std::move(piece));
}

void TokenStream::read(std::uint64_t first, std::span<std::int32_t> tokens) const {
  check(first <= size() && tokens.size() <= size() - first, "tokens of the stream are read");
  while (!tokens.empty()) {
    const std::size_t piece = piece_of(first);
    const std::size_t count = std::min<std::uint64_t>(tokens.size(), ends_[piece] - first);
    read_piece(pieces_[piece], first - begin_of(piece), tokens.first(count));
    tokens = tokens.subspan(count);
    first += count;
  }
}

TokenPlace TokenStream::place_of(std::uint64_t position) const {
  check(position < size(), "a token of the stream has a place");
  const std::size_t piece = piece_of(position);
  return {.file = pieces_[piece].file, .index = position - begin_of(piece)};
}

std::size_t TokenStream::piece_of(std::uint64_t position) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(ends_, position) - ends_.begin());
}

}  // namespace localbatch
