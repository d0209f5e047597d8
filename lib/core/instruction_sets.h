// The instruction sets of x86-64 that the compiler was allowed to use in the file that includes
// this one: LOCALBATCH_USES("avx2") for each, by the names of __builtin_cpu_supports(). The
// includer defines LOCALBATCH_USES, and may include this file again. A list of this kind, as that
// function wants a name that is spelled out.
#ifdef __SSE4_2__
LOCALBATCH_USES("sse4.2")
#endif
#ifdef __POPCNT__
LOCALBATCH_USES("popcnt")
#endif
#ifdef __AVX__
LOCALBATCH_USES("avx")
#endif
#ifdef __AVX2__
LOCALBATCH_USES("avx2")
#endif
#ifdef __FMA__
LOCALBATCH_USES("fma")
#endif
#ifdef __BMI__
LOCALBATCH_USES("bmi")
#endif
#ifdef __BMI2__
LOCALBATCH_USES("bmi2")
#endif
#ifdef __AVX512F__
LOCALBATCH_USES("avx512f")
#endif
#ifdef __AVX512BW__
LOCALBATCH_USES("avx512bw")
#endif
#ifdef __AVX512CD__
LOCALBATCH_USES("avx512cd")
#endif
#ifdef __AVX512DQ__
LOCALBATCH_USES("avx512dq")
#endif
#ifdef __AVX512VL__
LOCALBATCH_USES("avx512vl")
#endif
#ifdef __AVX512VBMI__
LOCALBATCH_USES("avx512vbmi")
#endif
#ifdef __AVX512VNNI__
LOCALBATCH_USES("avx512vnni")
#endif
#ifdef __AVX512BF16__
LOCALBATCH_USES("avx512bf16")
#endif
#undef LOCALBATCH_USES
