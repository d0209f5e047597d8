#include "nn/gate.h"

#include "nn/row_vectors.h"
#include "nn/vector_functions.h"

namespace localbatch {

namespace {

using Index = std::ptrdiff_t;

/// A function of a, and its derivative.
struct Activation {
  Vector value, slope;
};

struct Silu {
  static Activation at(Vector a) {
    const Vector s = sigmoid(a);
    return {a * s, s + a * s * (1.0F - s)};
  }
};

struct Gelu {
  static Activation at(Vector a) {
    const NormalDistribution normal = normal_distribution(a);
    return {a * normal.cumulative, normal.cumulative + a * normal.density};
  }
};

struct GeluTanh {
  static Activation at(Vector a) {
    // (1 + tanh u)/2 is the sigmoid of 2u, which keeps its relative precision where tanh u is near
    // -1.
    constexpr float kLinear = 1.5957691216F, kCubic = 0.0713548163F;  // 2 sqrt(2/pi) (1, 0.044715)
    const Vector square = a * a;
    const Vector s = sigmoid(a * (kLinear + kCubic * square));
    return {a * s, s + a * s * (1.0F - s) * (kLinear + 3 * kCubic * square)};
  }
};

/// Calls work(activation) with the one of the gate.
template <class Work>
void with_activation(Gate gate, Work work) {
  switch (gate) {
    case Gate::kSilu:
      return work(Silu{});
    case Gate::kGelu:
      return work(Gelu{});
    case Gate::kGeluTanh:
      return work(GeluTanh{});
  }
}

}  // namespace

template <class T>
void gate_forward(Gate gate, int rows, int hidden, const float* ab, T* z) {
  with_activation(gate, [=](auto activation) {
    const bool gated = gate_inputs(gate) == 2;
    const float* a = ab;
    T* out = z;
    for (int row = 0; row < rows; ++row, a += gate_inputs(gate) * hidden, out += hidden)
      for_each_vector(hidden, [&](Index i, auto lanes) {
        const Vector value = activation.at(lanes.load(a + i)).value;
        lanes.store(out + i, gated ? value * lanes.load(a + hidden + i) : value);
      });
  });
}

template <class T>
void gate_backward(Gate gate, int rows, int hidden, const float* ab, const float* diff_z, T* z,
                   T* diff_ab) {
  with_activation(gate, [=](auto activation) {
    const bool gated = gate_inputs(gate) == 2;
    const Index inputs = Index{gate_inputs(gate)} * hidden;
    for (Index row = 0; row < rows; ++row) {
      const float *a = ab + row * inputs, *dz = diff_z + row * hidden;
      T *out = z + row * hidden, *da = diff_ab + row * inputs;
      for_each_vector(hidden, [&](Index i, auto lanes) {
        const auto [value, slope] = activation.at(lanes.load(a + i));
        const Vector diff = lanes.load(dz + i);
        const Vector b = gated ? lanes.load(a + hidden + i) : broadcast(1);
        lanes.store(out + i, value * b);
        lanes.store(da + i, diff * b * slope);
        if (gated) lanes.store(da + hidden + i, diff * value);
      });
    }
  });
}

template void gate_forward(Gate, int, int, const float*, float*);
template void gate_forward(Gate, int, int, const float*, Bfloat16*);
template void gate_backward(Gate, int, int, const float*, const float*, float*, float*);
template void gate_backward(Gate, int, int, const float*, const float*, Bfloat16*, Bfloat16*);

}  // namespace localbatch
