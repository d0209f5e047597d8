#include "core/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/file_fixtures.h"
#include "core/files.h"

namespace localbatch {

namespace {

/// The bytes of a file with this header and so many bytes of numbers.
std::string file_of(const std::string& header, std::size_t numbers) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + std::string(numbers, '\0');
}

std::vector<StoredTensor> parsed(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "a.safetensors");
}

std::string refusal(const std::string& file) {
  try {
    parsed(file);
  } catch (const InputError& error) {
    return error.what();
  }
  return "(accepted)";
}

/// That of a file of one tensor `w` with this entry.
std::string refusal_of(const std::string& entry, std::size_t numbers = 8) {
  return refusal(file_of(R"({"w": )" + entry + "}", numbers));
}

}  // namespace

TEST_CASE("what is written is read back, names, shapes and every bit") {
  const Directory folder;
  const std::vector<float> weight{1, -0.0F, 3e-42F, 4, 5, 6}, bias{7}, none;
  const std::filesystem::path path = folder / "model.safetensors";
  write_safetensors(path,
                    std::vector<FloatTensor>{
                        {"layer.weight", {2, 3}, weight}, {"none", {0, 4}, none}, {"b", {}, bias}});
  const std::string bytes = read_text(path);
  const std::vector<StoredTensor> tensors = parsed(bytes);
  REQUIRE(tensors.size() == 3);
  CHECK(tensors[0].name == "layer.weight");
  CHECK(tensors[0].shape == std::vector<std::int64_t>{2, 3});
  CHECK(tensors[1].shape == std::vector<std::int64_t>{0, 4});
  CHECK(tensors[2].shape.empty());
  CHECK(tensors[2].size() == 1);
  const std::vector<float> read = floats_of(tensors[0], "a");
  CHECK(std::memcmp(read.data(), weight.data(), weight.size() * sizeof(float)) == 0);
  CHECK(floats_of(tensors[1], "a").empty());
  CHECK(floats_of(tensors[2], "a") == bias);
  // Numbers begin at a multiple of 8, as readers that map the file like it.
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  CHECK(length % 8 == 0);
  CHECK(bytes.size() == 8 + length + 7 * sizeof(float));
}

TEST_CASE("half precisions become the f32 of the same value") {
  std::string file = file_of(R"({"h": {"dtype": "F16", "shape": [6], "data_offsets": [0, 12]},)"
                             R"( "b": {"dtype": "BF16", "shape": [2], "data_offsets": [12, 16]}})",
                             16);
  const std::uint16_t numbers[] = {0x3c00, 0xc100, 0x0001, 0x7bff, 0x7c00, 0x8000, 0x3fc0, 0xc2f7};
  std::memcpy(file.data() + file.size() - 16, numbers, 16);
  const std::vector<StoredTensor> tensors = parsed(file);
  const std::vector<float> half = floats_of(tensors[0], "a"), brain = floats_of(tensors[1], "a");
  CHECK(half == std::vector<float>{1, -2.5F, std::ldexp(1.0F, -24), 65504, INFINITY, -0.0F});
  CHECK(std::signbit(half[5]));
  CHECK(brain == std::vector<float>{1.5F, -123.5F});
}

TEST_CASE("types that are no floating-point numbers are there but have no values") {
  const std::string file =
      file_of(R"({"n": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}})", 8);
  const std::vector<StoredTensor> tensors = parsed(file);
  CHECK_THROWS_WITH_AS(floats_of(tensors.at(0), "a.safetensors"),
                       "a.safetensors: n: found numbers of type I64, expected F32, F16 or BF16",
                       InputError);
}

TEST_CASE("a header is not trusted") {
  CHECK(refusal("short") == "a.safetensors: found 5 bytes, expected a safetensors file");
  CHECK(refusal(std::string(8, '\xff')) ==
        "a.safetensors: expected a safetensors file, but its header would have "
        "18446744073709551615 bytes of 0");
  CHECK(refusal(file_of("{}", 1)) ==
        "a.safetensors: found 1 bytes of numbers, expected 0, where the last tensor ends");
  CHECK(refusal(file_of("[]", 0)) == "a.safetensors: header: expected a mapping of tensors");
  CHECK(refusal(file_of("{", 0)).starts_with("a.safetensors: parse error"));
  CHECK(refusal_of("3") == "a.safetensors: w: expected a mapping with dtype, shape, data_offsets");
  CHECK(refusal_of(R"({"shape": [2], "data_offsets": [0, 8]})") ==
        "a.safetensors: w: dtype: found nothing, expected a known type such as \"F32\"");
  CHECK(refusal_of(R"({"dtype": "F33", "shape": [2], "data_offsets": [0, 8]})") ==
        "a.safetensors: w: dtype: found \"F33\", expected a known type such as \"F32\"");
  for (const char* const shape : {"[-1]", "[1.5]", "2", "[\"2\"]", "[9223372036854775808]"})
    CHECK(refusal_of(std::string(R"({"dtype": "F32", "shape": )") + shape +
                     R"(, "data_offsets": [0, 8]})") ==
          "a.safetensors: w: shape: expected a list of whole numbers");
  for (const char* const offsets : {"[0]", "[0, 8, 8]", "[-8, 8]", "null"})
    CHECK(refusal_of(std::string(R"({"dtype": "F32", "shape": [2], "data_offsets": )") + offsets +
                     "}") == "a.safetensors: w: data_offsets: expected two whole numbers");
  CHECK(refusal_of(R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]})") ==
        "a.safetensors: w: data_offsets: found 0 .. 16, the file has 8 bytes of numbers");
  CHECK(refusal_of(R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]})") ==
        "a.safetensors: w: data_offsets: found 8 .. 0, the file has 8 bytes of numbers");
  CHECK(refusal_of(R"({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]})") ==
        "a.safetensors: w: data_offsets: found 8 bytes, expected those of F32 of shape [3]");
  // A product that is 8 modulo 2^64.
  CHECK(refusal_of(R"({"dtype": "F32", "shape": [4611686018427387906, 1], "data_offsets": [0, 8]})")
            .starts_with("a.safetensors: w: data_offsets: found 8 bytes, expected those"));
}

TEST_CASE("numbers that belong to no tensor or to two are refused") {
  const auto two = [](const std::string& first, const std::string& second) {
    const std::string begin = R"({"dtype": "F32", "shape": [1], "data_offsets": )";
    return refusal(file_of("{\"a\": " + begin + first + "}, \"b\": " + begin + second + "}}", 12));
  };
  CHECK(two("[0, 4]", "[8, 12]") ==
        "a.safetensors: b: data_offsets: begins at 8, expected 4, where the tensor before ends");
  CHECK(two("[4, 8]", "[4, 8]").starts_with("a.safetensors: a: data_offsets: begins at 4"));
  CHECK(two("[0, 4]", "[0, 4]").starts_with("a.safetensors: b: data_offsets: begins at 0"));
  CHECK(two("[4, 8]", "[0, 4]") ==
        "a.safetensors: found 12 bytes of numbers, expected 8, where the last tensor ends");
}

TEST_CASE("a name cannot move a terminal's cursor") {
  CHECK(refusal(file_of("{\"\\u001b[2J\": 3}", 0)) ==
        "a.safetensors: \\u001b[2J: expected a mapping with dtype, shape, data_offsets");
}

}  // namespace localbatch
