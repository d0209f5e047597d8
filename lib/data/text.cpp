#include "data/text.h"

#include <memory>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "data/root_folder.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTextFiles = "the files that 'train' and 'test' name";

TokenPiece open_bytes(const fs::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  if (file->bytes().empty()) fail_input("{}: found an empty file, expected a text", path.string());
  return {.file = path.string(), .tokens = file->bytes(), .bytes_per_token = 1, .memory = file};
}

/// One pass over the training text.
Alphabet characters_of(const TokenStream& stream) {
  ByteSet characters;
  for (const TokenPiece& piece : stream.pieces()) characters.add(piece.tokens);
  return characters.sorted();
}

TextSettings read_text_settings(Options& options) {
  TextSettings settings;
  settings.files.root = read_root(options, kTextFiles);
  settings.files.train = options.text(
      "train",
      {.fallback = "train.txt",
       .meaning = "file in root, or a pattern like '*.txt' of files that are read one behind "
                  "the other in the order of their names; those of 'test' are left out"});
  settings.files.test = options.text(
      "test", {.fallback = "val.txt", .meaning = "file or pattern of what is evaluated"});
  settings.characters = options.choice<bool>(
      "vocabulary",
      {.fallback = false,
       .choices = {{"bytes", false}, {"characters", true}},
       .meaning = "what a token is: one of 256 bytes, or one of the distinct bytes of "
                  "the training text, of which the test text may have no others"});
  return settings;
}

}  // namespace

TokenText open_text(const TextSettings& settings) {
  const bool fetched = settings.files.root.filename() == "tinyshakespeare";
  require_folder({.path = settings.files.root,
                  .files = kTextFiles,
                  .dataset = fetched ? "tinyshakespeare" : ""});
  auto [train, test] = open_streams(settings.files, open_bytes);
  const Alphabet alphabet = settings.characters ? characters_of(train) : all_bytes();
  return {.train = std::move(train),
          .test = std::move(test),
          .vocabulary = static_cast<int>(alphabet.bytes.size()),
          .bytes_per_token = 1,
          .alphabet = alphabet};
}

DatasetFactory make_text(Options& options) {
  const TextSettings settings = read_text_settings(options);
  const WindowSettings windows = read_windows(options);
  return windows_of([settings] { return open_text(settings); }, windows,
                    read_partition_of_windows(options, windows));
}

}  // namespace localbatch
