#include "data/gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace localbatch {

namespace {

struct Inflater {
  z_stream stream{};

  Inflater() {
    constexpr int kGzipOnly = 16;
    check(inflateInit2(&stream, MAX_WBITS + kGzipOnly) == Z_OK, "zlib can start");
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

}  // namespace

bool is_gzip(std::span<const unsigned char> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

std::vector<unsigned char> gunzip(std::span<const unsigned char> bytes,
                                  const std::filesystem::path& path, std::size_t limit) {
  constexpr std::size_t kStep = std::size_t{1} << 20;
  constexpr std::size_t kMaxBytes = std::numeric_limits<uInt>::max();
  if (bytes.size() > kMaxBytes)
    fail_input("{}: found {} bytes of gzip data, allowed are at most {}", path.string(),
               bytes.size(), kMaxBytes);
  Inflater inflater;
  z_stream& stream = inflater.stream;
  stream.next_in = const_cast<unsigned char*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());

  std::vector<unsigned char> expanded;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t filled = expanded.size();
    expanded.resize(filled + kStep);
    stream.next_out = expanded.data() + filled;
    stream.avail_out = kStep;
    status = inflate(&stream, Z_NO_FLUSH);
    expanded.resize(filled + kStep - stream.avail_out);
    if (expanded.size() > limit)
      fail_input("{}: gzip data expands to more than {} bytes", path.string(), limit);
  }
  if (status == Z_BUF_ERROR)
    fail_input("{}: gzip data is cut short after {} bytes", path.string(), bytes.size());
  if (status != Z_STREAM_END)
    fail_input("{}: gzip data is damaged: {}", path.string(),
               stream.msg != nullptr ? stream.msg : zError(status));
  if (stream.avail_in != 0)
    fail_input("{}: {} bytes follow the end of the gzip data", path.string(), stream.avail_in);
  return expanded;
}

}  // namespace localbatch
