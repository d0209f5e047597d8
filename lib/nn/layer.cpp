#include "nn/layer.h"

#include "core/error.h"

namespace localbatch {

void Layer::compute(Images, std::byte*, Thread&) {
  internal_error("this layer's output is stored");
}
void Layer::observe(const Region&, const ForwardPass&, Thread&) {}
void Layer::observe_diff(const Region&, Thread&) {}
void Layer::compute_diff(const Region&, std::byte*, Thread&) {
  internal_error("this source's diff is stored");
}

}  // namespace localbatch
