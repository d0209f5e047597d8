#pragma once

#include <cstddef>
#include <dnnl.hpp>
#include <initializer_list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/aligned_buffer.h"
#include "nn/team.h"

namespace localbatch {

/// The CPU engine of this process.
const dnnl::engine& cpu_engine();

/// Runs its scope with one OpenMP thread. oneDNN fixes the number of threads of a primitive when it
/// is created; ours are created for one thread each, and the network calls them from a team of its
/// own.
class SingleThreadScope {
 public:
  SingleThreadScope();
  ~SingleThreadScope();
  SingleThreadScope(const SingleThreadScope&) = delete;
  SingleThreadScope& operator=(const SingleThreadScope&) = delete;

 private:
  int saved_;
};

/// The attributes of all our primitives: scratchpads are ours, one per thread.
dnnl::primitive_attr user_scratchpad();

// The two APIs of oneDNN differ for us in one thing only: 2.x describes an operation first and the
// primitive from it, 3.x has one constructor for both. `arguments` are what both versions agree on.
#if DNNL_VERSION_MAJOR >= 3
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc forward_desc(Arguments&&... arguments) {
  return {cpu_engine(), std::forward<Arguments>(arguments)..., user_scratchpad()};
}
template <class Primitive, class Hint, class... Arguments>
typename Primitive::primitive_desc backward_desc(const Hint& forward, Arguments&&... arguments) {
  return {cpu_engine(), std::forward<Arguments>(arguments)..., forward, user_scratchpad()};
}
#else
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc forward_desc(Arguments&&... arguments) {
  return {typename Primitive::desc(std::forward<Arguments>(arguments)...), user_scratchpad(),
          cpu_engine()};
}
template <class Primitive, class Hint, class... Arguments>
typename Primitive::primitive_desc backward_desc(const Hint& forward, Arguments&&... arguments) {
  return {typename Primitive::desc(std::forward<Arguments>(arguments)...), user_scratchpad(),
          cpu_engine(), forward};
}
#endif

/// A primitive that several threads may run at once, each on its own images: the primitive is
/// shared, memory objects and stream exist once per thread.
class ThreadedPrimitive {
 public:
  struct Argument {
    int index = 0;  ///< DNNL_ARG_...
    dnnl::memory::desc desc;
  };

  ThreadedPrimitive() = default;
  ThreadedPrimitive(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad,
                    const std::vector<Argument>& arguments, int threads);

  /// Runs on the calling thread. `handles` are the data of the arguments in the order of the
  /// constructor; oneDNN writes only through those that are results.
  void run(Thread& thread, std::initializer_list<const void*> handles);

  std::size_t scratchpad_bytes() const { return scratchpad_bytes_; }

 private:
  struct PerThread {
    dnnl::stream stream;
    std::vector<dnnl::memory> memories;
    dnnl::memory scratchpad;
    std::unordered_map<int, dnnl::memory> arguments;
  };
  dnnl::primitive primitive_;
  std::size_t scratchpad_bytes_ = 0;
  std::vector<PerThread> threads_;
};

/// Copies arrays from one memory layout and type to another.
class Reorder {
 public:
  Reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to);

  const dnnl::memory::desc& to() const { return to_; }
  void run(const void* source, void* destination) const;

 private:
  dnnl::memory::desc from_, to_;
  dnnl::reorder primitive_;
};

}  // namespace localbatch
