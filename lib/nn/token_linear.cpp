#include "nn/token_linear.h"

#include <type_traits>

namespace localbatch {

template <class T>
TokenLinear<T>::TokenLinear(MatrixProducts& products, const LinearPlace& place)
    : products_(products),
      place_(place),
      pack_forward_(products.packing(place.inputs, place.outputs, 1, place.inputs)) {
  // W lies as the backward pass in f32 wants it; bf16 takes a copy in any case.
  if constexpr (!std::is_same_v<T, float>)
    pack_backward_.emplace(products.packing(place.outputs, place.inputs, place.inputs, 1));
}

template <class T>
std::size_t TokenLinear<T>::copy_bytes() const {
  std::size_t bytes = allocated_bytes(pack_forward_.to().get_size());
  if (pack_backward_) bytes += allocated_bytes(pack_backward_->to().get_size());
  return bytes;
}

template <class T>
void TokenLinear<T>::load(std::span<const float> parameters) {
  const float* const weight = parameters.data() + place_.weight;
  const auto copy = [weight](const Reorder& packing, AlignedBuffer<std::byte>& packed) {
    if (packed.size() == 0) packed = AlignedBuffer<std::byte>(packing.to().get_size());
    packing.run(weight, packed.data());
  };
  copy(pack_forward_, forward_);
  backward_weights_ = weight;
  if (pack_backward_) {
    copy(*pack_backward_, backward_);
    backward_weights_ = backward_.data();
  }
  bias_ = place_.bias ? parameters.data() + *place_.bias : nullptr;
}

template <class T>
void TokenLinear<T>::forward(Thread& thread, int rows, const T* x, float* y) const {
  products_.multiply(thread,
                     {.rows = rows,
                      .inner = place_.inputs,
                      .columns = place_.outputs,
                      .a_row = place_.inputs,
                      .c_row = place_.outputs,
                      .b_is_packed = true},
                     x, forward_.data(), y);
  if (bias_ == nullptr) return;
  for (int row = 0; row < rows; ++row, y += place_.outputs)
    for (int i = 0; i < place_.outputs; ++i) y[i] += bias_[i];
}

template <class T>
void TokenLinear<T>::backward(Thread& thread, int rows, const T* diff_y, float* diff_x) const {
  products_.multiply(thread,
                     {.rows = rows,
                      .inner = place_.outputs,
                      .columns = place_.inputs,
                      .a_row = place_.outputs,
                      .b_row = pack_backward_ ? 0 : place_.inputs,
                      .c_row = place_.inputs,
                      .b_is_packed = pack_backward_.has_value()},
                     diff_y, backward_weights_, diff_x);
}

template class TokenLinear<float>;
template class TokenLinear<Bfloat16>;

}  // namespace localbatch
