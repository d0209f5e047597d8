#include "core/text.h"

#include <doctest/doctest.h>

namespace localbatch {

TEST_CASE("texts and numbers are joined with separators between them only") {
  CHECK(join(std::vector<std::string>{}, ", ") == "");
  CHECK(join(std::vector<std::string>{"sgd"}, " | ") == "sgd");
  CHECK(join(std::vector<std::string>{"sgd", "", "adamw"}, " | ") == "sgd |  | adamw");
  CHECK(join(std::vector<int>{3, -32, 32}, "x") == "3x-32x32");
  CHECK(join(std::vector<std::int64_t>{1LL << 40}, ", ") == "1099511627776");
}

TEST_CASE("columns of a table for a terminal are as wide as their widest cell") {
  const std::vector<TextRow> rows{
      {"name", "value", "unit"}, {"loss", "12.25", "nats"}, {"b", "8", ""}};
  CHECK(left_aligned(rows) ==
        "name  value  unit\n"
        "loss  12.25  nats\n"
        "b     8      \n");
  CHECK(right_aligned(rows) ==
        "  name  value  unit\n"
        "  loss  12.25  nats\n"
        "  b         8      \n");
}

}  // namespace localbatch
