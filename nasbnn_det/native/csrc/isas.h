// The one list of instruction sets that have kernels, best first: name, machine, compiler flags, whether this CPU can run it.
// The kernels of NAME are the value isa_NAME in isa_NAME.cpp; build.py reads names, machines and flags from here.
NB_ISA(avx512, X86, "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vpopcntdq -mavx512vnni -mprefer-vector-width=512",
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vpopcntdq") &&
           __builtin_cpu_supports("avx512vnni"))
NB_ISA(avx512bw, X86, "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512",
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl"))
NB_ISA(avx2, X86, "-mavx2 -mfma", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
NB_ISA(neon, ARM, "", true)
NB_ISA(portable, ANY, "", true)
