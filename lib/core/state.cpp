#include "core/state.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/error.h"

namespace localbatch {

namespace {

template <class T>
void append(std::vector<std::byte>& to, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

void StateVisitor::visit(std::string_view name, bool& value) {
  std::uint8_t byte = value ? 1 : 0;
  visit(name, byte);
  if (byte > 1) fail_input("found {} as {}, expected 0 or 1", byte, name);
  value = byte == 1;
}

/// A record: size of the name, size of the data, name, data.
void StateWriter::visit_bytes(std::string_view name, std::span<std::byte> bytes) {
  const std::uint64_t sizes[] = {name.size(), bytes.size()};
  append(written_, std::span<const std::uint64_t>(sizes));
  append(written_, std::span<const char>(name));
  append(written_, std::span<const std::byte>(bytes));
}

void StateSize::visit_bytes(std::string_view name, std::span<std::byte> bytes) {
  bytes_ += 2 * sizeof(std::uint64_t) + name.size() + bytes.size();
}

void StateReader::visit_bytes(std::string_view name, std::span<std::byte> bytes) {
  std::uint64_t sizes[2] = {};
  std::memcpy(sizes, next(sizeof sizes).data(), sizeof sizes);
  const auto found = next(sizes[0]);
  const std::string_view found_name(reinterpret_cast<const char*>(found.data()), found.size());
  if (found_name != name) fail_input("found the state of another version: '{}' is missing", name);
  if (sizes[1] != bytes.size())
    fail_input("found {} bytes of {}, expected {}: the state of another version or model", sizes[1],
               name, bytes.size());
  std::ranges::copy(next(sizes[1]), bytes.begin());
}

std::span<const std::byte> StateReader::next(std::size_t size) {
  if (size > rest_.size()) fail_input("the state ends too early");
  const auto bytes = rest_.first(size);
  rest_ = rest_.subspan(size);
  return bytes;
}

void StateReader::finish() const {
  if (!rest_.empty()) fail_input("{} bytes of state are left over", rest_.size());
}

}  // namespace localbatch
