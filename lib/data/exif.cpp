#include "data/exif.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace localbatch {

namespace {

/// The TIFF structure inside: numbers of either byte order at offsets from its beginning. What lies
/// beyond the end reads as 0.
struct Tiff {
  std::span<const unsigned char> bytes;
  bool big_endian = false;

  std::uint32_t byte(std::size_t offset) const {
    return offset < bytes.size() ? bytes[offset] : 0U;
  }
  std::uint32_t two_bytes(std::size_t offset) const {
    const std::uint32_t a = byte(offset), b = byte(offset + 1);
    return big_endian ? (a << 8) | b : (b << 8) | a;
  }
  std::uint32_t four_bytes(std::size_t offset) const {
    const std::uint32_t a = two_bytes(offset), b = two_bytes(offset + 2);
    return big_endian ? (a << 16) | b : (b << 16) | a;
  }
};

}  // namespace

int read_orientation(std::span<const unsigned char> app1) {
  constexpr std::string_view kExif("Exif\0\0", 6), kBig("MM"), kLittle("II");
  constexpr std::size_t kEntry = 12;
  constexpr std::uint32_t kMagic = 42, kOrientation = 0x0112, kShort = 3;
  if (app1.size() < kExif.size() || !std::ranges::equal(app1.first(kExif.size()), kExif))
    return kUpright;
  Tiff tiff{.bytes = app1.subspan(kExif.size())};
  if (tiff.bytes.size() < 8) return kUpright;
  tiff.big_endian = std::ranges::equal(tiff.bytes.first(2), kBig);
  if (!tiff.big_endian && !std::ranges::equal(tiff.bytes.first(2), kLittle)) return kUpright;
  if (tiff.two_bytes(2) != kMagic) return kUpright;
  const std::size_t directory = tiff.four_bytes(4);
  const std::size_t entries = tiff.two_bytes(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntry;
    if (tiff.two_bytes(entry) != kOrientation || tiff.two_bytes(entry + 2) != kShort) continue;
    const auto orientation = static_cast<int>(tiff.two_bytes(entry + 8));
    return 1 <= orientation && orientation <= 8 ? orientation : kUpright;
  }
  return kUpright;
}

}  // namespace localbatch
