#pragma once

#include <cstddef>
#include <functional>

namespace localbatch {

/// What is done to places first .. last - 1 of flat arrays.
using PieceWork = std::function<void(std::size_t first, std::size_t last)>;

/// Cuts 0 .. count - 1 into pieces and calls `work` for each, perhaps on several threads at once;
/// returns when all are done.
using PieceRunner = std::function<void(std::size_t count, const PieceWork& work)>;

/// Everything at once on this thread.
inline void run_one_piece(std::size_t count, const PieceWork& work) { work(0, count); }

}  // namespace localbatch
