#include "batching/dummy_controller.h"

#include <doctest/doctest.h>

namespace localbatch {

TEST_CASE("the batch grows by the factor") {
  const auto controller = make_dummy_controller({.factor = 3});
  CHECK(controller->wanted({.local_batch_size = 2}, {}).local_batch_size == 6);
}

}  // namespace localbatch
