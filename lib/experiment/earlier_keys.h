#pragma once

#include "core/node.h"

namespace localbatch {

/// Writes keys of earlier versions as today's, so that the `experiment.yaml` that a run of one has
/// left can be run again and its results stay in their row of a table:
///
///   winograd: true | false      convolution: auto | direct
///
/// What already says it in today's way is left alone, and refused by whoever reads it.
void translate_earlier_keys(Node& experiment);

}  // namespace localbatch
