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

/// What is done to places first .. last - 1 of flat arrays.
using PieceWork = std::function<void(std::size_t first, std::size_t last)>;

/// Cuts 0 .. count - 1 into pieces and calls `work` for each, perhaps on several threads at once;
/// returns when all are done.
using PieceRunner = std::function<void(std::size_t count, const PieceWork& work)>;

/// Everything at once on this thread.
inline void run_one_piece(std::size_t count, const PieceWork& work) { work(0, count); }

}  // namespace localbatch
