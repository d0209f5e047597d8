#pragma once

#include "data/dataset.h"

namespace localbatch {

DatasetFactory make_dummy_data_set(Options& options);

}  // namespace localbatch
