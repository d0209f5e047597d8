#include "nn/team.h"

#include <algorithm>

namespace localbatch {

void Team::for_each_slice(int images, const std::function<void(const Slice&, int)>& work) const {
  const int slices = num_slices(images);
  const auto run = [&](int index, int thread) {
    const int first = index * kSliceImages;
    work({.index = index, .first = first, .images = std::min(kSliceImages, images - first)},
         thread);
  };
  if (threads_ == 1) {
    for (int index = 0; index < slices; ++index) run(index, 0);
    return;
  }
#pragma omp parallel for num_threads(threads_) schedule(static, 1)
  for (int thread = 0; thread < threads_; ++thread)
    for (int index = slices * thread / threads_; index < slices * (thread + 1) / threads_; ++index)
      run(index, thread);
}

}  // namespace localbatch
