#pragma once

#include <functional>

namespace localbatch {

/// The images that one thread handles in one call of a primitive.
struct Slice {
  int index = 0;  ///< counted over the micro-batch
  int first = 0;  ///< first image
  int images = 0;
};

/// Images per slice. What is summed over images is summed within a slice first and then over slices
/// in their order, so it is this number, and not the number of threads, that the bits depend on.
/// Eight images keep a slice of every layer in the second-level cache (performance.md 2e).
constexpr int kSliceImages = 8;

constexpr int num_slices(int images) { return (images + kSliceImages - 1) / kSliceImages; }

/// The threads of one worker.
class Team {
 public:
  explicit Team(int threads) : threads_(threads) {}

  int threads() const { return threads_; }

  /// Calls `work(slice, thread)` for every slice of `images` images, in order on each thread, and
  /// returns when all are done. A thread owns a contiguous range of slices.
  void for_each_slice(int images, const std::function<void(const Slice&, int)>& work) const;

 private:
  int threads_;
};

}  // namespace localbatch
