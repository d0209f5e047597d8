#pragma once

#include <cstddef>
#include <memory>

#include "data/dataset.h"

namespace localbatch {

/// Takes so many training samples out of a data set, which are then its validation samples: the
/// training set, its classes, partitions and epochs are those of the others, in their order.
/// Samples that are apart are drawn by a key of their own, whatever the seed of the run, so that
/// runs that differ in anything else hold out the same ones, and more of them hold out these as
/// well; of a text its end is taken. Throws an InputError where too few samples would be left, and
/// for a data set in which training would see them.
std::unique_ptr<Dataset> hold_out(std::unique_ptr<Dataset> whole, std::size_t samples);

}  // namespace localbatch
