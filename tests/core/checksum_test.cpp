#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "core/files.h"

namespace localbatch {

TEST_CASE("checksums are those of XXH3") {
  // Published for 64 bits, seed 0, no input.
  CHECK(checksum(std::span<const std::byte>()) == 0x2D06800538D394C2U);
  CHECK(checksum(std::string_view()) == 0x2D06800538D394C2U);
}

TEST_CASE("every bit and every length counts") {
  std::vector<std::byte> bytes(300);
  std::set<std::uint64_t> seen{checksum(bytes)};
  for (std::byte& byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      byte ^= std::byte{1} << bit;
      seen.insert(checksum(bytes));
      byte ^= std::byte{1} << bit;
    }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    seen.insert(checksum(std::span(bytes).first(size)));
  CHECK(seen.size() == 1 + 8 * bytes.size() + bytes.size());
}

}  // namespace localbatch
