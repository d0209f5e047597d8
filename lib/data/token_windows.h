#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "core/options.h"
#include "data/alphabet.h"
#include "data/dataset.h"
#include "data/token_stream.h"

namespace localbatch {

/// How samples are cut out of a text.
struct WindowSettings {
  int length = 0;       ///< T: tokens that a network sees, and targets that it predicts
  bool random = false;  ///< whether windows begin anywhere, or lie one behind the other
};

/// Reads `sequence_length` and `windows`.
WindowSettings read_windows(Options& options);

/// Reads the partitions that windows can have.
Partition read_partition_of_windows(Options& options, const WindowSettings& windows);

/// A training text and a test text.
struct TokenText {
  TokenStream train, test;
  int vocabulary = 0;          ///< tokens are 0 .. vocabulary - 1
  double bytes_per_token = 0;  ///< bytes of text, on average; 0: unknown
  /// Where tokens are bytes. The streams hold the bytes then, and not yet their tokens.
  std::optional<Alphabet> alphabet = {};
  std::size_t memory = 0;  ///< bytes that the streams take; those of mapped files do not count
};

/// Looks at every token of both texts once, and returns a checksum of them, which depends neither
/// on how many bytes a token has nor on how many files there are. Throws an InputError that names
/// file and place of a token beyond the vocabulary, or of a byte that the alphabet lacks: found in
/// the middle of a run it would be too late.
///
/// A core looks at a billion tokens in two seconds where the files are in the system's cache,
/// and otherwise as fast as they are read.
std::uint64_t scan_tokens(const TokenText& text);

/// Whether a data set calls scan_tokens(); one that is asked for its sizes alone need not.
enum class TokenScan { kAll, kNone };

/// Windows of a text: T tokens, and as targets the token that follows each of them, so that the
/// last target of a window is the first token of the next one. Windows go across the ends of
/// documents and files, and nothing is masked.
///
/// A training text of N tokens has n = floor((N - T)/T) windows an epoch, at least one. Those that
/// are `disjoint` begin at o, o + T, o + 2 T, ..., where o is uniform in 0 .. T - 1 (or as far as
/// the text allows) and a function of seed and epoch: each is seen once an epoch, and over the
/// epochs every place of the text begins a window. Those that are `random` begin uniformly in
/// 0 .. N - T - 1, a function of seed, epoch and index: independent of each other, as the theory of
/// gradient noise has it, so that parts of the text are seen twice and others not.
///
/// A worker with a share of its own counts epochs of its own; where two shares meet, either worker
/// may see up to T - 1 tokens of the other one's.
///
/// Where m windows are held out, they are the last m T targets of the text, in windows one behind
/// the other; N is what is left. So training has m windows fewer, and sees none of these targets,
/// whatever its windows begin with.
///
/// Test windows lie at 0, T, 2 T, ..., the last one with fewer targets: together they predict each
/// token of the text but the first, once. It is filled up with token 0 and the target -1, "none".
class TokenWindows final : public Dataset {
 public:
  /// Throws an InputError for a text that is too short, for an augmentation, which images have, and
  /// for what scan_tokens() finds.
  TokenWindows(TokenText text, const WindowSettings& windows, const Augmentation& augmentation,
               TokenScan scan);

  const TokenText& text() const { return text_; }

  std::size_t train_size() const override { return train_windows_; }
  std::size_t test_size() const override { return test_windows_; }
  SampleShape sample_shape() const override;
  std::string_view unit() const override { return "sequences"; }
  std::optional<SampleClasses> classes() const override { return {}; }
  void write_training_sample(const Draw& draw, std::uint64_t seed,
                             const SamplePlace& to) const override;
  bool write_test_sample(std::size_t index, const SamplePlace& to) const override;
  bool write_plain_training_sample(std::size_t index, const SamplePlace& to) const override;
  bool hold_out_end(std::size_t samples) override;
  std::size_t validation_size() const override { return validation_windows_; }
  bool write_validation_sample(std::size_t index, const SamplePlace& to) const override;
  /// Of all tokens, and of how many windows are held out.
  std::uint64_t checksum() const override;
  std::size_t bytes() const override { return text_.memory; }
  double bytes_per_target() const override { return text_.bytes_per_token; }
  const Alphabet* alphabet() const override { return text_.alphabet ? &*text_.alphabet : nullptr; }

 private:
  std::uint64_t first_token(const Draw& draw, std::uint64_t seed) const;
  /// Writes a window of which the first `targets` are there.
  void write(const TokenStream& stream, std::uint64_t first, std::size_t targets,
             const SamplePlace& to) const;

  TokenText text_;
  WindowSettings windows_;
  std::optional<TokenTable> token_of_;  ///< of the alphabet
  std::uint64_t train_tokens_ = 0;      ///< N: those of the training text that are not held out
  std::size_t train_windows_ = 0, validation_windows_ = 0, test_windows_ = 0;
  std::optional<std::uint64_t> content_;  ///< none where tokens were not looked at
};

/// A data set of windows of the text that `open` opens: loading it looks at every token, its
/// outline at none.
DatasetFactory windows_of(std::function<TokenText()> open, const WindowSettings& windows,
                          Partition partition);

}  // namespace localbatch
