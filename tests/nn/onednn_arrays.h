#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "core/vector.h"
#include "nn/onednn.h"

namespace localbatch {

// Arrays of activations as oneDNN's memory, for tests that ask oneDNN as well.

template <class T>
constexpr auto kType =
    std::is_same_v<T, float> ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;

/// oneDNN's memory with a copy of the values.
template <class T>
dnnl::memory memory_of(const dnnl::memory::desc& desc, const std::vector<T>& values) {
  dnnl::memory copy(desc, cpu_engine());
  std::copy(values.begin(), values.end(), static_cast<T*>(copy.get_data_handle()));
  return copy;
}
template <class T>
std::vector<T> values_of(const dnnl::memory& from, std::size_t count) {
  const T* const data = static_cast<const T*>(from.get_data_handle());
  return {data, data + count};
}

template <class Desc>
void execute(const dnnl::primitive& primitive, const Desc& desc,
             std::unordered_map<int, dnnl::memory> arguments) {
  arguments.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(desc.scratchpad_desc(), cpu_engine()));
  dnnl::stream stream(cpu_engine());
  primitive.execute(stream, arguments);
  stream.wait();
}

template <class T>
dnnl::memory::desc array_desc(std::size_t count) {
  return {{static_cast<dnnl::memory::dim>(count)}, kType<T>, dnnl::memory::format_tag::a};
}

}  // namespace localbatch
