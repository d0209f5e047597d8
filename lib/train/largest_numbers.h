#pragma once

#include <span>

namespace localbatch {

// A few numbers of an array, each with its place: 32 bits of the one and 32 of the other in what
// travels as a double and is none.

/// Takes the numbers with the largest magnitudes out of `values`, which become 0, as many as
/// `taken` has places; they are in the order of the array. Of equal ones those in front are taken.
/// Numbers that are not finite count as the largest.
void take_largest(std::span<float> values, std::span<double> taken);

/// mean[i] = the mean over the workers of what each has taken from place i, or 0 where it has not;
/// `all` are the numbers of all workers, worker by worker. Sums are in double, in the order of the
/// workers. Every NaN becomes the same one.
void mean_of_taken(std::span<const double> all, int num_workers, std::span<float> mean);

}  // namespace localbatch
