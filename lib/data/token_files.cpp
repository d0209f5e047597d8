#include "data/token_files.h"

#include <fnmatch.h>

#include <memory>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "data/root_folder.h"
#include "data/token_formats.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTokenFiles = "the files of tokens that 'train' and 'test' name";

/// Files that look like data of a language model, and what makes tokens of them.
struct ForeignFormat {
  const char* pattern;
  std::string_view what, advice;
};

constexpr std::string_view kPrepare =
    "scripts like dev/data/fineweb.py of llm.c or data/openwebtext/prepare.py of nanoGPT make "
    "tokens of it";
constexpr ForeignFormat kForeign[] = {
    {"*.parquet", "a Parquet table", kPrepare},
    {"*.arrow", "an Arrow table", kPrepare},
    {"*.jsonl", "JSON lines", "tools/preprocess_data.py of Megatron-LM makes tokens of it"},
    {"*.json", "JSON", "tools/preprocess_data.py of Megatron-LM makes tokens of it"},
    {"*.npy", "a NumPy array",
     "numpy.load(FILE).astype('<u2').tofile('FILE.bin') makes a file for 'format: raw_u16' of it"},
    {"chunk-[0-9]*-[0-9]*.bin", "a chunk of LitData",
     "litdata.StreamingDataset reads its items, whose numpy.tofile() makes a file for 'format: "
     "raw_u16'"},
    {"*.gz", "compressed", "gunzip unpacks it"},
    {"*.zst", "compressed", "zstd -d unpacks it"},
    {"*.txt", "a text", "'dataset: {name: text}' reads it"},
    {"*.idx", "the index of Megatron's tokens", "name the .bin file beside it"},
};

void refuse_foreign(const fs::path& path) {
  const std::string name = path.filename().string();
  for (const ForeignFormat& format : kForeign)
    if (::fnmatch(format.pattern, name.c_str(), 0) == 0)
      fail_input("{}: its name is that of {}, which is not read here; {}", path.string(),
                 format.what, format.advice);
}

TokenLayout layout_of(std::span<const std::byte> file, const fs::path& path, TokenFormat format) {
  const fs::path index = fs::path(path).replace_extension(".idx");
  if (format == TokenFormat::kLlmC || (format == TokenFormat::kAuto && is_llm_c(file)))
    return llm_c_layout(file, path);
  if (format == TokenFormat::kMegatron || (format == TokenFormat::kAuto && is_there(index)))
    return megatron_layout(MappedFile(index).bytes(), index, file.size(), path);
  if (format == TokenFormat::kRawU16) return raw_u16_layout(file, path);
  fail_input(
      "{}: found neither the magic number of an llm.c shard nor a Megatron index ({}); a file of "
      "bare 16-bit tokens, as nanoGPT and llama2.c write it, takes 'format: raw_u16'",
      path.string(), index.filename().string());
}

TokenFileSettings read_token_file_settings(Options& options) {
  TokenFileSettings settings;
  settings.files.root = read_root(options, kTokenFiles);
  settings.files.train = options.text(
      "train",
      {.fallback = {},
       .meaning = "file in root, or a pattern like 'fineweb_train_*.bin' of files that are "
                  "read one behind the other in the order of their names; those of 'test' "
                  "are left out"});
  settings.files.test =
      options.text("test", {.fallback = {}, .meaning = "file or pattern of what is evaluated"});
  settings.format = options.choice<TokenFormat>(
      "format", {.fallback = TokenFormat::kAuto,
                 .choices = {{"auto", TokenFormat::kAuto},
                             {"llm_c", TokenFormat::kLlmC},
                             {"raw_u16", TokenFormat::kRawU16},
                             {"megatron", TokenFormat::kMegatron}},
                 .meaning = "llm_c: shards of llm.c (16 or 32 bits); raw_u16: tokens of 16 bits "
                            "without a header (nanoGPT, llama2.c); megatron: a .bin file with its "
                            ".idx; auto: what the files say, which raw ones do not"});
  settings.vocabulary = options.integer<int>(
      "vocabulary_size",
      {.min = 2,
       .max = 1 << 24,
       .meaning = "tokens are 0 .. vocabulary_size - 1: 50257 for GPT-2, 32000 for Llama 2; a "
                  "larger one in a file is refused before training"});
  settings.bytes_per_token = options.number(
      "bytes_per_token", {.fallback = 0,
                          .min = 0,
                          .max = 1000,
                          .meaning = "bytes of test text that a token stands for on average, for "
                                     "bits per byte; 0: unknown"});
  return settings;
}

}  // namespace

TokenPiece open_token_file(const fs::path& path, TokenFormat format) {
  refuse_foreign(path);
  const auto file = std::make_shared<const MappedFile>(path);
  const TokenLayout layout = layout_of(file->bytes(), path, format);
  return {.file = path.string(),
          .tokens = file->bytes().subspan(layout.begin),
          .bytes_per_token = layout.bytes_per_token,
          .memory = file};
}

TokenText open_token_files(const TokenFileSettings& settings) {
  require_folder({.path = settings.files.root, .files = kTokenFiles});
  auto [train, test] = open_streams(settings.files, [&settings](const fs::path& path) {
    return open_token_file(path, settings.format);
  });
  return {.train = std::move(train),
          .test = std::move(test),
          .vocabulary = settings.vocabulary,
          .bytes_per_token = settings.bytes_per_token};
}

DatasetFactory make_tokens(Options& options) {
  const TokenFileSettings settings = read_token_file_settings(options);
  const WindowSettings windows = read_windows(options);
  return windows_of([settings] { return open_token_files(settings); }, windows,
                    read_partition_of_windows(options, windows));
}

}  // namespace localbatch
