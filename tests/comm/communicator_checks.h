#pragma once

#include <cstddef>

#include "comm/communicator.h"

namespace localbatch {

/// Checks of every collective from inside one worker, whatever hosts it: all workers of a run call
/// this. Each result is compared bit for bit with a sequential computation that knows the values of
/// all workers, so placements need no comparison with each other.
void check_collectives(Communicator& communicator);

/// An average of `length` floats. Kept apart because a long one takes a while.
void check_average(Communicator& communicator, std::size_t length);

}  // namespace localbatch
