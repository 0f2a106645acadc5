// Threads: PyTorch's own OpenMP pool where there is one, so that two pools never fight for the cores; otherwise ours.
#pragma once
#include <functional>

// Gives fn the numbers 0 to count - 1 and the number of the worker that runs it. Each of `threads` workers starts with a
// range of its own, the same in every call, so that what it wrote last is still in its cache; then it helps the others.
void parallel_for(int threads, int count, const std::function<void(int index, int worker)>& fn);

// Entry points of a loaded OpenMP library: GOMP_parallel and omp_get_thread_num. Nulls bring back our own threads.
void use_openmp(void* parallel, void* thread_number);
