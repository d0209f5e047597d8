#pragma once

#include "data/dataset.h"
#include "data/text_files.h"
#include "data/token_windows.h"

namespace localbatch {

struct TextSettings {
  TextPatterns files;
  /// Tokens are the distinct bytes of the training text, sorted, and not all 256.
  bool characters = false;
};

/// Maps the files of a text whose tokens are its bytes. Throws an InputError that names a file that
/// is missing or empty. A byte of the test text that the training text lacks is found by
/// scan_tokens().
TokenText open_text(const TextSettings& settings);

/// A text as it lies on the disk, in any encoding.
DatasetFactory make_text(Options& options);

}  // namespace localbatch
