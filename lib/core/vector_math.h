#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace localbatch {

/// Sums over flat f32 arrays, accumulated in double. The order of the additions depends on the
/// length alone, so equal arrays give equal bits.
double squared_norm(std::span<const float> x);
double inner_product(std::span<const float> x, std::span<const float> y);
double squared_distance(std::span<const float> x, std::span<const float> y);

bool all_finite(std::span<const float> x);

/// The body of a loop over places first .. last - 1 of flat arrays.
using RangeWork = std::function<void(std::size_t first, std::size_t last)>;

/// Cuts 0 .. count - 1 into ranges and calls `work` for each, perhaps on several threads at once;
/// returns when all are done.
using ParallelFor = std::function<void(std::size_t count, const RangeWork& work)>;

/// The whole range at once on the calling thread.
inline void for_on_this_thread(std::size_t count, const RangeWork& work) { work(0, count); }

/// The squared norm as several threads find it: a sum over blocks of a fixed size in their order,
/// whoever adds up a block. Not the bits of squared_norm(x) where there is more than one.
double squared_norm(std::span<const float> x, const ParallelFor& parallel_for);

}  // namespace localbatch
