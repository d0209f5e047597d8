#include "core/parse.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace localbatch;

TEST_CASE("a number is read when it is all of the text") {
  CHECK(number_in("0.5") == 0.5);
  CHECK(number_in("+5e-4") == 5e-4);
  CHECK(number_in("-1") == -1);
  CHECK(std::isinf(number_in("inf").value()));
  for (const char* const text : {"", "+", "+-1", "0.5 ", " 0.5", "1,5", "0x10", "half"}) {
    CAPTURE(text);
    CHECK_FALSE(number_in(text));
  }
}

TEST_CASE("an integer may be written as people write a large one, up to 2^53") {
  CHECK(integer_in("64") == 64);
  CHECK(integer_in("+64") == 64);
  CHECK(integer_in("2e4") == 20000);
  CHECK(integer_in("20000.0") == 20000);
  CHECK(integer_in("9007199254740992.0") == kLargestInteger);
  for (const char* const text : {"", "2.5", "1e-3", "0x10", "1e17", "nan", "inf", "64 "}) {
    CAPTURE(text);
    CHECK_FALSE(integer_in(text));
  }
}

TEST_CASE("a flag is read as YAML's core schema writes it") {
  CHECK(flag_in("True") == true);
  CHECK(flag_in("false") == false);
  CHECK_FALSE(flag_in("yes"));
  CHECK_FALSE(flag_in("tRUE"));
}
