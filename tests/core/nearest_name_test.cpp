#include <doctest/doctest.h>

#include "core/error.h"

using namespace localbatch;

TEST_CASE("the nearest name is the one with the fewest edits, if any is near") {
  const std::vector<std::string> names{"momentum", "nesterov", "weight_decay", "at_sync"};
  CHECK(nearest_name("momentun", names) == "momentum");
  CHECK(nearest_name("weightdecay", names) == "weight_decay");
  CHECK(nearest_name("atsync", names) == "at_sync");
  CHECK(nearest_name("learning_rate", names).empty());
  CHECK(nearest_name("x", {}).empty());
  CHECK(nearest_name("min", {"max"}).empty());
  CHECK(nearest_name("mn", {"max", "min"}) == "min");
  CHECK(nearest_name("eat", {"eta"}) == "eta");
  CHECK(nearest_name("nu", {"un", "gnu"}) == "un");
}

TEST_CASE("a guess is offered in words, or nothing at all") {
  CHECK(did_you_mean("etaa", {"eta", "nu"}) == " (did you mean 'eta'?)");
  CHECK(did_you_mean("colour", {"eta", "nu"}).empty());
}

TEST_CASE("of many names only the nearest is told, or all when none is near") {
  const std::vector<std::string> many{"a1", "a2", "a3", "a4", "a5",      "a6",
                                      "a7", "a8", "a9", "ab", "momentum"};
  CHECK(allowed_names("momentun", many) == "momentum and 10 others (did you mean 'momentum'?)");
  CHECK(allowed_names("colour", many).starts_with("a1 | a2 | "));
  CHECK(allowed_names("etaa", {"eta", "nu"}) == "eta | nu (did you mean 'eta'?)");
}
