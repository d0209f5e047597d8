#include "nn/onednn.h"

#include <omp.h>

#include <unordered_map>

#include "core/error.h"

namespace localbatch {

namespace {

/// oneDNN takes mutable pointers for what it only reads as well.
void* handle(const float* data) { return const_cast<float*>(data); }

}  // namespace

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

SingleThreadScope::SingleThreadScope() : saved_(omp_get_max_threads()) { omp_set_num_threads(1); }
SingleThreadScope::~SingleThreadScope() { omp_set_num_threads(saved_); }

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

ThreadedPrimitive::ThreadedPrimitive(const dnnl::primitive& primitive,
                                     const dnnl::memory::desc& scratchpad,
                                     const std::vector<Argument>& arguments, int threads)
    : primitive_(primitive), threads_(static_cast<std::size_t>(threads)) {
  for (PerThread& mine : threads_) {
    mine.stream = dnnl::stream(cpu_engine());
    for (const Argument& argument : arguments) {
      mine.memories.emplace_back(argument.desc, cpu_engine(), nullptr);
      mine.arguments.emplace(argument.index, mine.memories.back());
    }
    mine.scratchpad = AlignedBuffer<std::byte>(scratchpad.get_size());
    mine.arguments.emplace(DNNL_ARG_SCRATCHPAD,
                           dnnl::memory(scratchpad, cpu_engine(), mine.scratchpad.data()));
  }
}

void ThreadedPrimitive::run(int thread, std::initializer_list<const float*> handles) {
  PerThread& mine = threads_[static_cast<std::size_t>(thread)];
  check(handles.size() == mine.memories.size(), "every argument of a primitive has data");
  std::size_t i = 0;
  for (const float* const data : handles) mine.memories[i++].set_data_handle(handle(data));
  primitive_.execute(mine.stream, mine.arguments);
}

void reorder(const dnnl::memory::desc& from, const float* source, const dnnl::memory::desc& to,
             float* destination) {
  dnnl::memory source_memory(from, cpu_engine(), handle(source));
  dnnl::memory destination_memory(to, cpu_engine(), destination);
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(source_memory, destination_memory)
      .execute(stream, source_memory, destination_memory);
  stream.wait();
}

}  // namespace localbatch
