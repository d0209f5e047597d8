#pragma once

#include "batching/batch_size_controller.h"

namespace localbatch {

struct DummyControllerSettings {
  double factor = 2;
};

std::shared_ptr<const BatchSizeController> make_dummy_controller(
    const DummyControllerSettings& settings);
std::shared_ptr<const BatchSizeController> make_dummy_controller(Options& options);

}  // namespace localbatch
