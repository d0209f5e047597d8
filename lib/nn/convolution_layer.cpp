#include <utility>

#include "nn/layers.h"
#include "nn/linear_passes.h"

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

}  // namespace localbatch
