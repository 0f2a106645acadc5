// Which kernels run: the best this machine has, or the ones asked for.
#pragma once
#include "layer.h"

// Null if this machine can't run the path, or there is none of this name.
const Path* find_path(const char* name);
const Path* path_at(int index);  // paths of this machine, best first; null behind the last

// What the last layer gives instead of its map, if anything: its bare dot products, or the sums over all pixels of these,
// and of their squares, [2][out_channels].
struct Bare {
  int32_t* dots;
  int64_t* sums;
};

void run_chain(const NbLayer* layers, int count, const NbInput& input, float* const* taps, Bare bare, int threads,
               const Path& path);
