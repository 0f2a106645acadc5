// The functions Python calls, by ctypes.
#include <cstring>
#include <new>

#include "dispatch.h"
#include "parallel.h"
#include "workspace.h"

namespace {

struct Choice {
  const Isa* isa;
  bool (*runs_here)();
};

const Choice kChoices[] = {
#define NB_ISA(name, machine, flags, runs_here) NB_ON_##machine({&isa_##name, [] { return bool(runs_here); }}, )
#include "isas.h"
#undef NB_ISA
};

}  // namespace

const Isa* isa_at(int index) {
  for (const Choice& choice : kChoices)
    if (choice.runs_here() && index-- == 0) return choice.isa;
  return nullptr;
}

const Isa* find_isa(const char* name) {
  for (int i = 0; const Isa* isa = isa_at(i); ++i)
    if (std::strcmp(isa->name, name) == 0) return isa;
  return nullptr;
}

// Name of the index-th instruction set of this machine, best first; null after the last.
NB_API const char* nb_isa(int index) {
  const Isa* isa = isa_at(index);
  return isa ? isa->name : nullptr;
}

// Bytes of the structs that the caller fills in, so that it can check its own description of them.
NB_API int64_t nb_layer_size() { return sizeof(NbLayer); }
NB_API int64_t nb_input_size() { return sizeof(NbInput); }

NB_API void nb_use_openmp(void* parallel, void* thread_number) { use_openmp(parallel, thread_number); }

// Gives back the memory kept between calls.
NB_API void nb_free_workspaces() { drop_workspaces(); }

// 0, or 1: no such instruction set, 2: out of memory. The caller has checked sizes and pointers. With `dots` or `sums`, the
// last layer gives its plain dot products there, or the sums of these and of their squares, instead of its map.
NB_API int nb_run(const char* isa_name, const NbLayer* layers, int count, const NbInput* input, float* const* outputs,
                  int32_t* dots, int64_t* sums, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  try {
    auto space = take_workspace();
    run_chain(layers, count, *input, outputs, {dots, sums}, threads, *isa, *space);
    return_workspace(std::move(space));
  } catch (const std::bad_alloc&) {
    return 2;
  }
  return 0;
}

// Binary multiply-accumulates done by `rounds` rounds of dot products of so many words on registers alone; 0: no such
// instruction set.
NB_API int64_t nb_peak(const char* isa_name, int64_t rounds, int64_t words) {
  const Isa* isa = find_isa(isa_name);
  return isa ? isa->peak(rounds, words) : 0;
}
