#include "core/json.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "core/file_fixtures.h"

namespace localbatch {

namespace {

std::string nested(int levels, const std::string& begin, const std::string& end) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += begin;
  text += "1";
  for (int i = 0; i < levels; ++i) text += end;
  return text;
}

std::string error_of(const std::string& text) {
  try {
    parse_json(text, "some.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("JSON is read down to a depth that no file of ours reaches, and refused below it") {
  for (const bool lists : {true, false}) {
    CAPTURE(lists);
    const char *const begin = lists ? "[" : "{\"a\":", *const end = lists ? "]" : "}";
    CHECK(parse_json(nested(kMaxJsonDepth, begin, end), "some.json").size() == 1);
    for (const int levels : {kMaxJsonDepth + 1, 200000})
      CHECK(error_of(nested(levels, begin, end)) ==
            "some.json: found more than 64 levels of lists and mappings");
  }
}

TEST_CASE("a number that no double holds is refused in words, without labels of the library") {
  const std::string message = error_of("[" + std::string(400, '1') + "]");
  CHECK(message.starts_with("some.json: number overflow parsing '111"));
}

TEST_CASE("what is not JSON is refused with its file") {
  for (const char* const text : {"", "{", "[1,]", "{\"a\": \x1b}", "\"\xff\"", "1 2"})
    CHECK_MESSAGE(error_of(text).starts_with("some.json: "), text);
  const Directory folder;
  write_file_atomically(folder / "m.json", R"({"b": 1, "a": [2]})");
  CHECK(read_json(folder / "m.json").dump() == R"({"b":1,"a":[2]})");
}

}  // namespace localbatch
