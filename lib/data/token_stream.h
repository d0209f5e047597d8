#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

/// Tokens that lie one behind the other, each an unsigned number of so many bytes, little-endian.
struct TokenPiece {
  std::string file;                    ///< what messages call it
  std::span<const std::byte> tokens;   ///< a whole number of them
  int bytes_per_token = 1;             ///< 1, 2 or 4
  std::shared_ptr<const void> memory;  ///< whatever has to live as long
};

/// A token of a file.
struct TokenPlace {
  std::string_view file;
  std::uint64_t index = 0;
};

/// One text as tokens, in any number of pieces: nothing lies between the last token of a piece and
/// the first one of the next. Positions have 64 bits; a corpus of today does not end at 2^31.
/// Mapped files are read where they lie, so they must not be cut short as long as this lives.
class TokenStream {
 public:
  /// Appends a piece, which must have tokens.
  void append(TokenPiece piece);

  std::uint64_t size() const { return ends_.empty() ? 0 : ends_.back(); }

  /// Reads the tokens from `first` on, all of which must be there. Those of four bytes that an
  /// int32 does not hold come out negative.
  void read(std::uint64_t first, std::span<std::int32_t> tokens) const;

  /// Where a token lies.
  TokenPlace place_of(std::uint64_t position) const;

  std::span<const TokenPiece> pieces() const { return pieces_; }

 private:
  std::size_t piece_of(std::uint64_t position) const;
  std::uint64_t begin_of(std::size_t piece) const { return piece == 0 ? 0 : ends_[piece - 1]; }

  std::vector<TokenPiece> pieces_;
  std::vector<std::uint64_t> ends_;  ///< by piece: the position behind its last token
};

}  // namespace localbatch
