#include <algorithm>
#include <utility>
#include <vector>

#include "nn/layers.h"

namespace localbatch {

namespace {

void add_to(std::span<float> sum, std::span<const float> values) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
}

class LinearLayer final : public Layer {
 public:
  LinearLayer(const Wiring& wiring, std::shared_ptr<LinearOperator> linear_operator,
              const TensorView& weight, const TensorView* bias)
      : wiring_(wiring), operator_(std::move(linear_operator)), weight_(weight) {
    if (bias != nullptr) bias_ = *bias;
    diff_src_.resize(static_cast<std::size_t>(wiring.team.threads()));
    if (wiring.src_diff == DiffUse::kAdd)
      for (AlignedBuffer<float>& mine : diff_src_)
        mine = AlignedBuffer<float>(kSliceImages * wiring.src->shape.size());
  }

  void load(std::span<const float> parameters) override {
    operator_->load(parameters.data() + weight_.offset);
  }

  void forward(const ForwardPass& pass) override {
    prepare(pass.images);
    const auto bias = pass.parameters.subspan(bias_.offset, bias_.size);
    wiring_.team.for_each_slice(pass.images, [&](const Slice& slice, int thread) {
      operator_->forward(thread, slice.images, wiring_.src->image(slice.first),
                         wiring_.dst->mutable_image(slice.first));
      for (int i = 0; i < slice.images && !bias.empty(); ++i)
        add_to({wiring_.dst->mutable_image(slice.first + i), bias.size()}, bias);
    });
  }

  void backward(const BackwardPass& pass) override {
    const int slices = num_slices(pass.images);
    // One thread can add slice after slice as they come; several need a place for each, because the
    // additions have to happen in the same order.
    const bool alone = wiring_.team.threads() == 1;
    const std::size_t needed = weight_.size * static_cast<std::size_t>(alone ? 1 : slices);
    if (diff_weights_.size() < needed) diff_weights_ = AlignedBuffer<float>(needed);
    const std::span<float> gradient = pass.gradient.subspan(weight_.offset, weight_.size);
    const auto of_slice = [&](int index) {
      return diff_weights_.span().subspan(
          alone ? 0 : weight_.size * static_cast<std::size_t>(index), weight_.size);
    };

    wiring_.team.for_each_slice(pass.images, [&](const Slice& slice, int thread) {
      const float* const diff_dst = wiring_.dst->diff_image(slice.first);
      operator_->backward_weights(thread, slice.images, wiring_.src->image(slice.first), diff_dst,
                                  of_slice(slice.index).data());
      if (alone) add_to(gradient, of_slice(slice.index));
      backward_data(slice, thread, diff_dst);
    });
    if (!alone)
      for (int index = 0; index < slices; ++index) add_to(gradient, of_slice(index));
    if (bias_.size > 0)
      for (int i = 0; i < pass.images; ++i)
        add_to(pass.gradient.subspan(bias_.offset, bias_.size),
               {wiring_.dst->diff_image(i), bias_.size});
  }

 private:
  void prepare(int images) {
    operator_->prepare(std::min(images, kSliceImages));
    if (images % kSliceImages != 0) operator_->prepare(images % kSliceImages);
  }

  void backward_data(const Slice& slice, int thread, const float* diff_dst) {
    if (wiring_.src_diff == DiffUse::kNone) return;
    float* const diff_src = wiring_.src->diff_image(slice.first);
    if (wiring_.src_diff == DiffUse::kWrite) {
      operator_->backward_data(thread, slice.images, diff_dst, diff_src);
      return;
    }
    AlignedBuffer<float>& mine = diff_src_[static_cast<std::size_t>(thread)];
    const std::size_t size = static_cast<std::size_t>(slice.images) * wiring_.src->shape.size();
    operator_->backward_data(thread, slice.images, diff_dst, mine.data());
    add_to({diff_src, size}, {mine.data(), size});
  }

  Wiring wiring_;
  std::shared_ptr<LinearOperator> operator_;
  TensorView weight_, bias_;
  AlignedBuffer<float> diff_weights_;
  std::vector<AlignedBuffer<float>> diff_src_;  ///< per thread, for adding
};

}  // namespace

std::unique_ptr<Layer> make_linear_layer(const Wiring& wiring,
                                         std::shared_ptr<LinearOperator> linear_operator,
                                         const TensorView& weight, const TensorView* bias) {
  return std::make_unique<LinearLayer>(wiring, std::move(linear_operator), weight, bias);
}

}  // namespace localbatch
