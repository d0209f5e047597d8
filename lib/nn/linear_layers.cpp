#include <utility>

#include "nn/elementwise.h"
#include "nn/layers.h"
#include "nn/linear_passes.h"
#include "nn/sample_sums.h"

namespace localbatch {

namespace {

template <class T>
class ConvolutionLayer final : public Layer {
 public:
  explicit ConvolutionLayer(LinearPasses<T> passes) : passes_(std::move(passes)) {}

  MemoryNeeds needs() const override { return passes_.needs(); }
  void load(std::span<const float> parameters, Thread&) override { passes_.load(parameters); }
  void forward(Team& team, const ForwardPass& pass) override { passes_.forward(team, pass, {}); }
  void backward(Team& team, const BackwardPass& pass) override { passes_.backward(team, pass); }

 private:
  LinearPasses<T> passes_;
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_convolution_layer(const Source<T>& src, const Destination<T>& dst,
                                              std::shared_ptr<LinearOperator> linear_operator,
                                              const TensorView& weight, int max_images) {
  return std::make_unique<ConvolutionLayer<T>>(
      LinearPasses<T>(src, dst, std::move(linear_operator), weight, max_images));
}

template std::unique_ptr<Layer> make_convolution_layer(const Source<float>&,
                                                       const Destination<float>&,
                                                       std::shared_ptr<LinearOperator>,
                                                       const TensorView&, int);
template std::unique_ptr<Layer> make_convolution_layer(const Source<Bfloat16>&,
                                                       const Destination<Bfloat16>&,
                                                       std::shared_ptr<LinearOperator>,
                                                       const TensorView&, int);

namespace {

class DenseLayer final : public Layer {
 public:
  DenseLayer(LinearPasses<float> passes, const Destination<float>& dst, const TensorView& bias)
      : passes_(std::move(passes)), dst_(dst), bias_(bias) {}

  MemoryNeeds needs() const override { return passes_.needs(); }
  void load(std::span<const float> parameters, Thread&) override { passes_.load(parameters); }

  void forward(Team& team, const ForwardPass& pass) override {
    passes_.forward(team, pass, pass.parameters.subspan(bias_.offset, bias_.size));
  }

  void backward(Team& team, const BackwardPass& pass) override {
    team.for_each(1, Phase::kElementwise, [&](int, Thread& thread) {
      const bool wants_gradient = !pass.gradient.empty();
      if (wants_gradient && !pass.adds())
        std::fill_n(pass.gradient.data() + bias_.offset, bias_.size, 0.0F);
      for (int image = 0; image < pass.images; ++image) {
        const Thread::Frame frame(thread);
        const float* const diff = dst_.diff({image, 1}, thread);
        if (wants_gradient) add(diff, bias_.size, pass.gradient.data() + bias_.offset);
        if (pass.samples != nullptr)
          add_to_sums(*pass.samples, image, bias_.offset, {diff, bias_.size});
      }
    });
    passes_.backward(team, pass);
  }

 private:
  LinearPasses<float> passes_;
  Destination<float> dst_;
  TensorView bias_;
};

}  // namespace

std::unique_ptr<Layer> make_dense_layer(const Source<float>& src, const Destination<float>& dst,
                                        std::shared_ptr<LinearOperator> linear_operator,
                                        const TensorView& weight, const TensorView& bias,
                                        int max_images) {
  return std::make_unique<DenseLayer>(
      LinearPasses<float>(src, dst, std::move(linear_operator), weight, max_images), dst, bias);
}

}  // namespace localbatch
