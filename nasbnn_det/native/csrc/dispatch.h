// Which kernels run: the best this machine has, or the ones asked for.
#pragma once
#include "layer.h"
#include "parallel.h"
#include "workspace.h"

// NB_ON_MACHINE(code) is the code on that machine, and nothing on others.
#define NB_ON_ANY(...) __VA_ARGS__
#if defined(__x86_64__) || defined(_M_X64)
#define NB_ON_X86(...) __VA_ARGS__
#else
#define NB_ON_X86(...)
#endif
#if defined(__aarch64__)
#define NB_ON_ARM(...) __VA_ARGS__
#else
#define NB_ON_ARM(...)
#endif

#define NB_ISA(name, machine, flags, runs_here) NB_ON_##machine(extern const Isa isa_##name;)
#include "isas.h"
#undef NB_ISA

// Null if this machine can't run the instruction set, or there is none of this name.
const Isa* find_isa(const char* name);
const Isa* isa_at(int index);  // those of this machine, best first; null after the last

// What the last layer gives instead of its map, if anything: its plain dot products, or the sums over all pixels of these,
// and of their squares, [2][out_channels].
struct Accumulators {
  int32_t* dots;
  int64_t* sums;
};

void run_chain(const NbLayer* layers, int count, const NbInput& input, float* const* outputs, Accumulators wanted,
               Workers workers, const Isa& isa, Workspace& space);
