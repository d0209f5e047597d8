#pragma once

#include "core/options.h"
#include "nn/model.h"

namespace localbatch {

// The makers behind model_table(), one file each.
ModelMaker make_resnet(Options& options);
ModelMaker make_mlp(Options& options);
ModelMaker make_softmax_regression(Options& options);

}  // namespace localbatch
