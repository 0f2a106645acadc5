// The functions Python calls, by ctypes.
#include <cstring>
#include <new>

#include "dispatch.h"
#include "parallel.h"
#include "workspace.h"

namespace {

bool runs_here(const Path* path) {
#if defined(NB_X86)
  if (path == &kPathAvx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vpopcntdq");
  if (path == &kPathAvx2) return __builtin_cpu_supports("avx2");
#endif
  return true;
}

const Path* const kPaths[] = {
#if defined(NB_X86)
    &kPathAvx512, &kPathAvx2,
#elif defined(NB_ARM)
    &kPathNeon,
#endif
    &kPathPortable,
};

}  // namespace

const Path* path_at(int index) {
  for (const Path* path : kPaths)
    if (runs_here(path) && index-- == 0) return path;
  return nullptr;
}

const Path* find_path(const char* name) {
  for (int i = 0; const Path* path = path_at(i); ++i)
    if (std::strcmp(path->name, name) == 0) return path;
  return nullptr;
}

// Name of the index-th path of this machine, best first; null behind the last.
NB_API const char* nb_path(int index) {
  const Path* path = path_at(index);
  return path ? path->name : nullptr;
}

NB_API void nb_use_openmp(void* parallel, void* thread_number) { use_openmp(parallel, thread_number); }

// Gives back the memory kept between calls.
NB_API void nb_free_workspaces() { drop_workspaces(); }

// 0, or 1: no such path, 2: out of memory. The caller has checked sizes and pointers. With `dots` or `sums`, the last layer gives
// its bare dot products there, or the sums of these and of their squares, instead of its map.
NB_API int nb_run(const char* path_name, const NbLayer* layers, int count, const NbInput* input, float* const* taps,
                  int32_t* dots, int64_t* sums, int threads) {
  const Path* path = find_path(path_name);
  if (!path) return 1;
  try {
    run_chain(layers, count, *input, taps, {dots, sums}, threads, *path);
  } catch (const std::bad_alloc&) {
    return 2;
  }
  return 0;
}

// Binary multiply-accumulates done by `rounds` rounds on registers alone; 0: no such path.
NB_API int64_t nb_peak(const char* path_name, int64_t rounds) {
  const Path* path = find_path(path_name);
  return path ? path->peak(rounds) : 0;
}
