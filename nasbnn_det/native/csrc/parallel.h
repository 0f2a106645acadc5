// Loops on several threads: of a team that a call has taken, or of PyTorch's own OpenMP pool where it computes and we are
// part of it, so that two pools never fight for the cores.
#pragma once
#include <functional>

class Team;

// How many threads a loop may use, and whose. Without a team they are PyTorch's where it is there, else any that are free.
struct Workers {
  Workers(int threads, Team* team = nullptr) : threads(threads), team(team) {}
  int threads;
  Team* team;
};

// Gives fn the numbers 0 to count - 1 and the number of the worker that runs it. Each worker starts with a range of its own,
// the same in every call, so that what it wrote last is still in its cache; then it helps the others. A worker that comes
// too late finds its range done.
void parallel_for(Workers workers, int count, const std::function<void(int index, int worker)>& fn);

// Entry points of a loaded OpenMP library: GOMP_parallel and omp_get_thread_num. Nulls bring back our own threads.
void use_openmp(void* parallel, void* thread_number);
