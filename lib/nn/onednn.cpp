#include "nn/onednn.h"

#include <fmt/core.h>
#include <omp.h>

#include "core/channel_block.h"
#include "core/error.h"
#include "nn/execution.h"

namespace localbatch {

namespace {

/// oneDNN takes mutable pointers for what it only reads as well.
void* handle(const void* data) { return const_cast<void*>(data); }

}  // namespace

std::string onednn_version() {
  const dnnl::version_t* const version = dnnl::version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string onednn_instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return fmt::format("oneDNN instruction set {:#x}",
                         static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
  }
}

bool supports_bfloat16() {
  // oneDNN has fast bf16 convolutions for blocks of 16 channels only.
#ifdef __x86_64__
  return kChannelBlock == 16 && __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

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
    : primitive_(primitive),
      scratchpad_bytes_(scratchpad.get_size()),
      threads_(static_cast<std::size_t>(threads)) {
  for (PerThread& mine : threads_) {
    mine.stream = dnnl::stream(cpu_engine());
    for (const Argument& argument : arguments) {
      mine.memories.emplace_back(argument.desc, cpu_engine(), nullptr);
      mine.arguments.emplace(argument.index, mine.memories.back());
    }
    mine.scratchpad = dnnl::memory(scratchpad, cpu_engine(), nullptr);
    mine.arguments.emplace(DNNL_ARG_SCRATCHPAD, mine.scratchpad);
  }
}

void ThreadedPrimitive::run(Thread& thread, std::initializer_list<const void*> handles) {
  PerThread& mine = threads_[static_cast<std::size_t>(thread.index())];
  check(handles.size() == mine.memories.size(), "every argument of a primitive has data");
  std::size_t i = 0;
  for (const void* const data : handles) mine.memories[i++].set_data_handle(handle(data));
  mine.scratchpad.set_data_handle(thread.scratchpad(scratchpad_bytes_));
  primitive_.execute(mine.stream, mine.arguments);
}

Reorder::Reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to)
    : from_(from),
      to_(to),
      primitive_(dnnl::reorder::primitive_desc(cpu_engine(), from, cpu_engine(), to)) {}

void Reorder::run(const void* source, void* destination) const {
  dnnl::memory source_memory(from_, cpu_engine(), handle(source));
  dnnl::memory destination_memory(to_, cpu_engine(), destination);
  dnnl::stream stream(cpu_engine());
  primitive_.execute(stream, source_memory, destination_memory);
  stream.wait();
}

}  // namespace localbatch
