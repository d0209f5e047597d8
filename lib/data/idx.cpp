#include "data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "data/root_folder.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr ImageShape kIdxShape{.channels = 1, .height = 28, .width = 28};
constexpr int kIdxClasses = 10;
constexpr std::string_view kIdxFiles =
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte, each plain or with .gz";

std::vector<unsigned char> plain_bytes(IdxFile file) {
  // Twenty times the largest set that is published in this format; more is not a data set.
  constexpr std::size_t kLimit = std::size_t{1} << 30;
  if (is_gzip(file.bytes)) return gunzip(file.bytes, file.path, kLimit);
  return std::move(file.bytes);
}

std::uint32_t big_endian(std::span<const unsigned char> bytes, std::size_t word) {
  std::uint32_t value = 0;
  for (const unsigned char byte : bytes.subspan(4 * word, 4)) value = value << 8 | byte;
  return value;
}

/// The layout of an idx file: a header of 32-bit words (magic number, number of items, their
/// dimensions), then the items.
struct IdxFormat {
  std::uint32_t magic;
  std::size_t words;
  std::size_t item_size;

  std::size_t header_size() const { return 4 * words; }
};

void check_header(const IdxFormat& format, std::span<const unsigned char> bytes,
                  const fs::path& path) {
  if (bytes.size() < format.header_size())
    fail_input("{}: found {} bytes (uncompressed), expected an idx header of {}", path.string(),
               bytes.size(), format.header_size());
  if (const std::uint32_t magic = big_endian(bytes, 0); magic != format.magic)
    fail_input("{}: found magic number {:#010x}, expected {:#010x}", path.string(), magic,
               format.magic);
}

/// Checks that exactly the items that the header counts follow it. Nothing is ever allocated by
/// what a header says.
void check_length(const IdxFormat& format, std::span<const unsigned char> bytes,
                  const fs::path& path) {
  const std::uint64_t items = big_endian(bytes, 1);
  if (items == 0) fail_input("{}: found 0 items, expected at least 1", path.string());
  const std::uint64_t expected = format.header_size() + items * format.item_size;
  if (bytes.size() != expected)
    fail_input("{}: found {} bytes (uncompressed), expected {}: a header of {} and {} items of {}",
               path.string(), bytes.size(), expected, format.header_size(), items,
               format.item_size);
}

void erase_header(const IdxFormat& format, std::vector<unsigned char>& bytes) {
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(format.header_size()));
}

std::vector<unsigned char> parse_idx_images(IdxFile file, const ImageShape& shape) {
  const IdxFormat format{.magic = 0x803, .words = 4, .item_size = shape.size()};
  const fs::path path = file.path;
  std::vector<unsigned char> bytes = plain_bytes(std::move(file));
  check_header(format, bytes, path);
  const std::uint32_t height = big_endian(bytes, 2), width = big_endian(bytes, 3);
  if (std::cmp_not_equal(height, shape.height) || std::cmp_not_equal(width, shape.width))
    fail_input("{}: found images of {} x {} pixels, expected {} x {}", path.string(), height, width,
               shape.height, shape.width);
  check_length(format, bytes, path);
  erase_header(format, bytes);
  return bytes;
}

std::vector<unsigned char> parse_idx_labels(IdxFile file, int num_classes) {
  const IdxFormat format{.magic = 0x801, .words = 2, .item_size = 1};
  const fs::path path = file.path;
  std::vector<unsigned char> bytes = plain_bytes(std::move(file));
  check_header(format, bytes, path);
  check_length(format, bytes, path);
  erase_header(format, bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (bytes[i] >= num_classes)
      fail_input("{}: item {}: found label {}, allowed is 0 .. {}", path.string(), i, bytes[i],
                 num_classes - 1);
  return bytes;
}

/// `name` in `root`, or `name`.gz when the plain file is not there.
fs::path find_idx_file(const fs::path& root, const std::string& name) {
  std::error_code error;
  for (const fs::path& path : {root / name, root / (name + ".gz")})
    if (fs::exists(path, error)) return path;
  fail_input("{}: no such file, nor with .gz at the end", (root / name).string());
}

ImageSet read_idx_set(const fs::path& root, const std::string& prefix) {
  return read_idx_pair(find_idx_file(root, prefix + "-images-idx3-ubyte"),
                       find_idx_file(root, prefix + "-labels-idx1-ubyte"), kIdxShape, kIdxClasses);
}

}  // namespace

ImageSet parse_idx_pair(IdxFile images, IdxFile labels, const ImageShape& shape, int num_classes) {
  const fs::path image_path = images.path, label_path = labels.path;
  ImageSet set{.pixels = parse_idx_images(std::move(images), shape), .labels = {}};
  const std::vector<std::uint8_t> bytes = parse_idx_labels(std::move(labels), num_classes);
  set.labels.assign(bytes.begin(), bytes.end());
  const std::size_t num_images = set.pixels.size() / shape.size();
  if (num_images != set.labels.size())
    fail_input("{}: found {} labels, expected {}, the number of images in {}", label_path.string(),
               set.labels.size(), num_images, image_path.string());
  return set;
}

ImageSet read_idx_pair(const fs::path& images, const fs::path& labels, const ImageShape& shape,
                       int num_classes) {
  return parse_idx_pair({.path = images, .bytes = read_file(images)},
                        {.path = labels, .bytes = read_file(labels)}, shape, num_classes);
}

ResidentImages read_idx(const IdxSettings& settings, const Augmentation& augmentation) {
  require_folder({.path = settings.root,
                  .files = kIdxFiles,
                  .dataset = settings.fashion ? "fashion_mnist" : "mnist"});
  // The mean and the stddev of the training sets, in the digits of the examples of PyTorch (MNIST)
  // and of common Fashion-MNIST code.
  const float mean = settings.fashion ? 0.2860F : 0.1307F;
  const float stddev = settings.fashion ? 0.3530F : 0.3081F;
  return {{.shape = kIdxShape, .num_classes = kIdxClasses, .mean = {mean}, .stddev = {stddev}},
          read_idx_set(settings.root, "train"),
          read_idx_set(settings.root, "t10k"),
          augmentation};
}

namespace {

DatasetFactory make_idx(Options& options, bool fashion) {
  const IdxSettings settings{.root = read_root(options, kIdxFiles), .fashion = fashion};
  return {.load =
              [settings](const Augmentation& augmentation) {
                return std::make_unique<ResidentImages>(read_idx(settings, augmentation));
              },
          .partition = read_partition(options)};
}

}  // namespace

DatasetFactory make_mnist(Options& options) { return make_idx(options, /*fashion=*/false); }
DatasetFactory make_fashion_mnist(Options& options) { return make_idx(options, /*fashion=*/true); }

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
