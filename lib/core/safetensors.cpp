#include "core/safetensors.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "core/channel_block.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/text.h"

namespace localbatch {

namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::size_t kLengthBytes = 8;
/// Ten thousand tensors. Looking for the names of many more would take minutes.
constexpr std::uint64_t kMaxHeader = std::uint64_t{1} << 20;
constexpr std::string_view kMetadata = "__metadata__";

struct NumberType {
  std::string_view name;
  std::uint64_t bytes;
};

constexpr std::array<NumberType, 14> kTypes{{{"BOOL", 1},
                                             {"U8", 1},
                                             {"I8", 1},
                                             {"F8_E5M2", 1},
                                             {"F8_E4M3", 1},
                                             {"I16", 2},
                                             {"U16", 2},
                                             {"F16", 2},
                                             {"BF16", 2},
                                             {"I32", 4},
                                             {"U32", 4},
                                             {"F32", 4},
                                             {"I64", 8},
                                             {"F64", 8}}};

}  // namespace

// ---- Writing ----

void write_safetensors(const std::filesystem::path& path, std::span<const FloatTensor> tensors) {
  Json header = Json::object();
  header[std::string(kMetadata)] = {{"format", "pt"}};
  std::size_t offset = 0;
  for (const FloatTensor& tensor : tensors) {
    const std::size_t end = offset + tensor.values.size_bytes();
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that numbers are aligned in a mapped file
  const std::uint64_t length = text.size();
  AtomicFile file(path);
  file.output().write(std::as_bytes(std::span(&length, 1)));
  file.output().write(text);
  for (const FloatTensor& tensor : tensors) file.output().write(std::as_bytes(tensor.values));
  file.finish();
}

// ---- Reading ----

std::size_t StoredTensor::size() const {
  std::size_t product = 1;
  for (const std::int64_t side : shape) product *= static_cast<std::size_t>(side);
  return product;
}

namespace {

/// The numbers of a list of whole ones that are not negative; none for anything else.
std::optional<std::vector<std::int64_t>> whole_numbers(const Json& entry, const char* key) {
  const auto list = entry.find(key);
  if (list == entry.end() || !list->is_array()) return {};
  std::vector<std::int64_t> numbers;
  for (const Json& number : *list) {
    // Integers from 0 on are unsigned for the library.
    if (!number.is_number_unsigned()) return {};
    const auto value = number.get<std::uint64_t>();
    if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return {};
    numbers.push_back(static_cast<std::int64_t>(value));
  }
  return numbers;
}

/// Bytes that type and shape say; none if that is more than any file has.
std::optional<std::uint64_t> bytes_of(const NumberType& type,
                                      const std::vector<std::int64_t>& shape) {
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  std::uint64_t bytes = type.bytes;
  for (const std::int64_t side : shape) {
    if (bytes > std::numeric_limits<std::uint64_t>::max() / static_cast<std::uint64_t>(side))
      return {};
    bytes *= static_cast<std::uint64_t>(side);
  }
  return bytes;
}

StoredTensor read_entry(const std::string& name, const Json& entry,
                        std::span<const std::byte> numbers, const std::string& source) {
  const std::string place = fmt::format("{}: {}", source, printable(name));
  if (!entry.is_object())
    fail_input("{}: expected a mapping with dtype, shape, data_offsets", place);
  const auto type_name = entry.find("dtype");
  const auto type =
      type_name == entry.end() || !type_name->is_string()
          ? kTypes.end()
          : std::ranges::find(kTypes, type_name->get<std::string>(), &NumberType::name);
  if (type == kTypes.end())
    fail_input("{}: dtype: found {}, expected a known type such as \"F32\"", place,
               type_name == entry.end() ? "nothing" : printable(type_name->dump()));
  const auto shape = whole_numbers(entry, "shape"), offsets = whole_numbers(entry, "data_offsets");
  if (!shape) fail_input("{}: shape: expected a list of whole numbers", place);
  if (!offsets || offsets->size() != 2)
    fail_input("{}: data_offsets: expected two whole numbers", place);
  const auto begin = static_cast<std::uint64_t>((*offsets)[0]);
  const auto end = static_cast<std::uint64_t>((*offsets)[1]);
  if (begin > end || end > numbers.size())
    fail_input("{}: data_offsets: found {} .. {}, the file has {} bytes of numbers", place, begin,
               end, numbers.size());
  const std::optional<std::uint64_t> expected = bytes_of(*type, *shape);
  if (expected != end - begin)
    fail_input("{}: data_offsets: found {} bytes, expected those of {} of shape [{}]", place,
               end - begin, type->name, join(*shape, ", "));
  return {.name = name,
          .type = std::string(type->name),
          .shape = *shape,
          .bytes = numbers.subspan(begin, end - begin)};
}

/// Every number belongs to one tensor.
void check_places(const std::vector<StoredTensor>& tensors, std::span<const std::byte> numbers,
                  const std::string& source) {
  std::size_t done = 0;
  for (const StoredTensor& tensor : tensors) {
    const auto begin = static_cast<std::size_t>(tensor.bytes.data() - numbers.data());
    if (begin != done)
      fail_input("{}: {}: data_offsets: begins at {}, expected {}, where the tensor before ends",
                 source, printable(tensor.name), begin, done);
    done += tensor.bytes.size();
  }
  if (done != numbers.size())
    fail_input("{}: found {} bytes of numbers, expected {}, where the last tensor ends", source,
               numbers.size(), done);
}

}  // namespace

std::vector<StoredTensor> parse_safetensors(std::span<const std::byte> bytes,
                                            const std::string& source) {
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes)
    fail_input("{}: found {} bytes, expected a safetensors file", source, bytes.size());
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeader || length > bytes.size() - kLengthBytes)
    fail_input("{}: expected a safetensors file, but its header would have {} bytes of {}", source,
               length, bytes.size() - kLengthBytes);
  const auto* const text = reinterpret_cast<const char*>(bytes.data() + kLengthBytes);
  const Json header = parse_json(std::string(text, length), source);
  if (!header.is_object()) fail_input("{}: header: expected a mapping of tensors", source);
  const std::span<const std::byte> numbers = bytes.subspan(kLengthBytes + length);
  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : header.items())
    if (name != kMetadata) tensors.push_back(read_entry(name, entry, numbers, source));
  // Of those that begin at one place the empty ones come first.
  std::ranges::stable_sort(tensors, [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  check_places(tensors, numbers, source);
  return tensors;
}

namespace {

float from_float16(std::uint16_t bits) {
  const float sign = (bits >> 15) != 0 ? -1.0F : 1.0F;
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent == 31)
    return fraction == 0 ? sign * std::numeric_limits<float>::infinity()
                         : std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

}  // namespace

std::vector<float> floats_of(const StoredTensor& tensor, const std::string& source) {
  std::vector<float> values(tensor.size());
  if (tensor.type == "F32") {
    if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  if (tensor.type != "F16" && tensor.type != "BF16")
    fail_input("{}: {}: found numbers of type {}, expected F32, F16 or BF16", source,
               printable(tensor.name), tensor.type);
  const bool half = tensor.type == "F16";
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, tensor.bytes.data() + i * sizeof(bits), sizeof(bits));
    values[i] = half ? from_float16(bits) : to_float(Bfloat16{bits});
  }
  return values;
}

}  // namespace localbatch
