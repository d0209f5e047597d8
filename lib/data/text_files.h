#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/token_stream.h"

namespace localbatch {

/// The files in `folder` that a pattern names, as a shell would: `*`, `?` and `[...]` in the last
/// part of it, in the order of the bytes of their names. A file of that very name comes first, and
/// alone. Throws an InputError that names the folder where there is none.
std::vector<std::filesystem::path> matching_files(const std::filesystem::path& folder,
                                                  const std::string& pattern);

/// The patterns of the files of a training text and of a test text.
struct TextPatterns {
  std::filesystem::path root;
  std::string train, test;
};

/// Opens one file.
using OpenTokens = std::function<TokenPiece(const std::filesystem::path&)>;

struct TextStreams {
  TokenStream train, test;
};

/// Opens the files that patterns name, one behind the other. Files of the test text are left out of
/// the training text, so that a folder with shards of both needs no second pattern. Throws an
/// InputError when nothing is left to train on.
TextStreams open_streams(const TextPatterns& patterns, const OpenTokens& open);

}  // namespace localbatch
