// A program that was built for another CPU ends with one line, not with an illegal instruction.
//
// The check runs before everything else of this program, as all else may be compiled to what the
// CPU lacks: constructors of static objects, and main itself. It is the one function that is
// compiled for the base of all x86-64, and calls nothing but the kernel.

#include <unistd.h>

#include <cstddef>

#ifdef __x86_64__

namespace {

constexpr int kInputFailure = 2;  // commands.h

[[gnu::target("arch=x86-64"), gnu::noinline]] void say(const char* text) {
  std::size_t length = 0;
  while (text[length] != '\0') ++length;
  if (::write(STDERR_FILENO, text, length) < 0) _exit(kInputFailure);
}

[[maybe_unused, gnu::target("arch=x86-64"), gnu::noinline]] void refuse(const char* name) {
  say("localbatch: this program was built for CPUs with ");
  say(name);
  say(", which this one lacks; build it here, or with -DLOCALBATCH_MARCH=x86-64-v3 for all "
      "nodes\n");
  _exit(kInputFailure);
}

// Static objects are made after constructors with a priority.
[[gnu::constructor(101), gnu::target("arch=x86-64")]] void check_instructions() {
  __builtin_cpu_init();
#define LOCALBATCH_USES(name) \
  if (__builtin_cpu_supports(name) == 0) refuse(name);
#include "core/instruction_sets.h"
}

}  // namespace

#endif
