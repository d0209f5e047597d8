#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/token_windows.h"

namespace localbatch {

/// What a network sees of a sample of text.
struct Window {
  std::vector<std::int32_t> inputs, targets;

  friend bool operator==(const Window&, const Window&) = default;
};

template <class Write>
Window window_of(const Dataset& dataset, const Write& write) {
  const std::size_t length = dataset.sample_shape().targets();
  Window window{.inputs = std::vector<std::int32_t>(length, -7),
                .targets = std::vector<std::int32_t>(length, -7)};
  write(SamplePlace{.input = std::as_writable_bytes(std::span(window.inputs)),
                    .targets = window.targets});
  return window;
}

inline Window training_window(const Dataset& dataset, std::uint64_t seed, const Draw& draw) {
  return window_of(
      dataset, [&](const SamplePlace& place) { dataset.write_training_sample(draw, seed, place); });
}

inline Window test_window(const Dataset& dataset, std::size_t index) {
  return window_of(dataset, [&](const SamplePlace& place) {
    check(dataset.write_test_sample(index, place), "a window of text is never damaged");
  });
}

/// Tokens of the type `Word` in memory.
template <class Word>
TokenPiece piece_of(const std::vector<Word>& tokens, std::string file = "memory") {
  const auto bytes = std::make_shared<std::vector<std::byte>>(tokens.size() * sizeof(Word));
  std::memcpy(bytes->data(), tokens.data(), bytes->size());
  return {.file = std::move(file),
          .tokens = *bytes,
          .bytes_per_token = static_cast<int>(sizeof(Word)),
          .memory = bytes};
}

template <class Word>
TokenStream stream_of(const std::vector<Word>& tokens, const std::string& file = "memory") {
  TokenStream stream;
  stream.append(piece_of(tokens, file));
  return stream;
}

/// Tokens first, first + 1, ...: each says where it lies.
template <class Word = std::uint32_t>
std::vector<Word> places(std::size_t count, std::size_t first = 0) {
  std::vector<Word> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<Word>(first + i);
  return tokens;
}

}  // namespace localbatch
