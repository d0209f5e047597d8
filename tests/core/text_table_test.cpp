#include "core/text_table.h"

#include <doctest/doctest.h>

namespace localbatch {

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
