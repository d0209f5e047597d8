#pragma once

#include "data/dataset.h"
#include "data/text_files.h"
#include "data/token_windows.h"

namespace localbatch {

/// How tokens lie in a file (data/token_formats.h). Bare tokens cannot be told from anything else.
enum class TokenFormat { kAuto, kLlmC, kRawU16, kMegatron };

struct TokenFileSettings {
  TextPatterns files;
  TokenFormat format = TokenFormat::kAuto;
  int vocabulary = 0;
  double bytes_per_token = 0;
};

/// Maps a file of tokens. Throws an InputError that names the file when it is missing, when its
/// header and its size do not agree, when its format is not known, and when its name is that of a
/// format that others can convert, with a way to do that.
TokenPiece open_token_file(const std::filesystem::path& path, TokenFormat format);

/// Maps the files of a text that somebody else has cut into tokens. No token is looked at before
/// scan_tokens().
TokenText open_token_files(const TokenFileSettings& settings);

/// Shards of tokens as llm.c, nanoGPT, llama2.c and Megatron-LM write them.
DatasetFactory make_tokens(Options& options);

}  // namespace localbatch
