#include "core/state.h"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>

#include "core/error.h"

namespace localbatch {

namespace {

enum class Color : int { kRed = 3, kBlue = 7 };

/// An object with one of every kind of field.
struct Everything {
  std::int64_t count = 0;
  double rate = 0;
  bool is_on = false;
  Color color = Color::kRed;
  std::array<float, 3> values = {};
  std::span<float> nothing = {};
};

void visit_state(StateVisitor& visitor, Everything& object) {
  visitor.visit("count", object.count);
  visitor.visit("rate", object.rate);
  visitor.visit("is_on", object.is_on);
  visitor.visit("color", object.color);
  visitor.visit("values", std::span(object.values));
  visitor.visit("nothing", object.nothing);
}

/// Values that only a copy of their bits preserves.
Everything delicate() {
  return {.count = std::numeric_limits<std::int64_t>::min(),
          .rate = std::bit_cast<double>(std::uint64_t{0x7ff8'0000'dead'beef}),
          .is_on = true,
          .color = Color::kBlue,
          .values = {-0.0F, std::numeric_limits<float>::denorm_min(), 0.1F}};
}

std::vector<std::byte> written(Everything object) {
  StateWriter writer;
  visit_state(writer, object);
  return writer.take();
}

/// What the InputError of reading `bytes` as an Everything says.
std::string error_of(std::span<const std::byte> bytes) {
  try {
    StateReader reader(bytes);
    Everything object;
    visit_state(reader, object);
    reader.finish();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("state is read back to the bit") {
  const Everything before = delicate();
  const std::vector<std::byte> bytes = written(before);
  Everything after;
  StateReader reader(bytes);
  CHECK(reader.reads());
  visit_state(reader, after);
  CHECK_NOTHROW(reader.finish());
  CHECK(after.count == before.count);
  CHECK(std::bit_cast<std::uint64_t>(after.rate) == std::bit_cast<std::uint64_t>(before.rate));
  CHECK(after.is_on);
  CHECK(after.color == Color::kBlue);
  for (std::size_t i = 0; i < before.values.size(); ++i)
    CHECK(std::bit_cast<std::uint32_t>(after.values[i]) ==
          std::bit_cast<std::uint32_t>(before.values[i]));
}

TEST_CASE("writing leaves an object as it is, and equal objects are equal bytes") {
  Everything object = delicate();
  StateWriter writer;
  CHECK_FALSE(writer.reads());
  visit_state(writer, object);
  CHECK(object.count == delicate().count);
  CHECK(object.values == delicate().values);
  CHECK(writer.take() == written(delicate()));
  CHECK(written(delicate()) != written({}));
}

TEST_CASE("state of another shape is refused by the name of what differs") {
  const std::vector<std::byte> bytes = written(delicate());
  std::int64_t count = 0;
  SUBCASE("another name") {
    StateReader reader(bytes);
    CHECK_THROWS_WITH_AS(reader.visit("round", count),
                         "found the state of another version: 'round' is missing", InputError);
  }
  SUBCASE("a name that goes on") {
    StateReader reader(bytes);
    CHECK_THROWS_AS(reader.visit("counter", count), InputError);
  }
  SUBCASE("another size") {
    StateReader reader(bytes);
    std::array<std::int64_t, 2> counts = {5, 6};
    CHECK_THROWS_WITH_AS(
        reader.visit("count", std::span(counts)),
        "found 8 bytes of count, expected 16: the state of another version or model", InputError);
    CHECK(counts == std::array<std::int64_t, 2>{5, 6});
  }
  SUBCASE("another order") {
    StateReader reader(bytes);
    double rate = 0;
    CHECK_THROWS_AS(reader.visit("rate", rate), InputError);
  }
}

TEST_CASE("state that ends too early or too late is refused") {
  std::vector<std::byte> bytes = written(delicate());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    // A copy, so that a reader that looks behind it is found out by the address sanitizer.
    const std::vector<std::byte> shorter(bytes.begin(),
                                         bytes.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(error_of(shorter) == "the state ends too early");
  }
  CHECK(error_of(bytes) == "no error");
  bytes.push_back(std::byte{0});
  CHECK(error_of(bytes) == "1 bytes of state are left over");
}

TEST_CASE("sizes beyond all memory are refused") {
  std::vector<std::byte> bytes = written(delicate());
  for (const std::size_t first : {std::size_t{0}, sizeof(std::uint64_t)}) {
    std::vector<std::byte> huge = bytes;
    std::fill_n(huge.begin() + static_cast<std::ptrdiff_t>(first), sizeof(std::uint64_t),
                std::byte{0xff});
    CHECK(error_of(huge) != "no error");
  }
}

TEST_CASE("a truth value that is neither true nor false is refused") {
  StateWriter writer;
  std::uint8_t two = 2;
  writer.visit("is_on", two);
  const std::vector<std::byte> bytes = writer.take();
  StateReader reader(bytes);
  bool is_on = false;
  CHECK_THROWS_WITH_AS(reader.visit("is_on", is_on), "found 2 as is_on, expected 0 or 1",
                       InputError);
}

}  // namespace localbatch
