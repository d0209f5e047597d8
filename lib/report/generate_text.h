#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "nn/continue_tokens.h"

namespace localbatch {

/// What a person wants to read of a run's model.
struct TextRequest {
  std::filesystem::path run;  ///< its folder, or one that holds it alone

  /// Text, or numbers of tokens between spaces where tokens are not bytes. Nothing: a newline, or
  /// token 0 where that is no token.
  std::optional<std::string> prompt = {};

  Continuation continuation = {};
};

/// The prompt and what the model of a finished run puts behind it, as a text or as numbers between
/// spaces. The run's data are opened, as they say what its tokens are. Throws an InputError for a
/// run that has not finished or trains no model of tokens, for files that do not fit it, and for a
/// prompt with something that is no token.
std::string generate_text(const TextRequest& request);

}  // namespace localbatch
