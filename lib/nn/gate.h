#pragma once

namespace localbatch {

/// What stands between the two projections of a decoder's feed-forward block.
enum class Gate {
  kSilu,  ///< z = silu(a) * b with silu(a) = a/(1 + e^-a): SwiGLU (Shazeer 2020)
  kGelu,  ///< z = gelu(a) = a Phi(a) with the normal distribution Phi (Hendrycks and Gimpel 2016)
  kGeluTanh  ///< their approximation, a/2 (1 + tanh(sqrt(2/pi) (a + 0.044715 a^3))), as in GPT-2
};

/// Numbers of the first projection for one of the second.
constexpr int gate_inputs(Gate gate) { return gate == Gate::kSilu ? 2 : 1; }

/// ab: [rows][gate_inputs * hidden], all a and then all b of a row; z: [rows][hidden].
/// T: float, or Bfloat16 to round to.
template <class T>
void gate_forward(Gate gate, int rows, int hidden, const float* ab, T* z);

/// z once more, as what the weights of the second projection are multiplied with, and the diff of
/// ab.
template <class T>
void gate_backward(Gate gate, int rows, int hidden, const float* ab, const float* diff_z, T* z,
                   T* diff_ab);

}  // namespace localbatch
