#include "parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "team.h"

namespace {

using OpenmpParallel = void (*)(void (*)(void*), void*, unsigned threads, unsigned flags);
using OpenmpThread = int (*)();
OpenmpParallel openmp_parallel = nullptr;
OpenmpThread openmp_thread = nullptr;

// PyTorch's threads do not live on in a forked process.
const int registered = pthread_atfork(nullptr, nullptr, [] { openmp_parallel = nullptr; });

void run_workers(Workers workers, const std::function<void(int)>& job) {
  if (workers.threads <= 1) return job(0);
  if (workers.team) return workers.team->run(workers.threads, job);
  if (openmp_parallel) {
    auto enter = [](void* data) { (*static_cast<const std::function<void(int)>*>(data))(openmp_thread()); };
    return openmp_parallel(enter, const_cast<std::function<void(int)>*>(&job), unsigned(workers.threads), 0);
  }
  TeamLease lease(workers.threads);
  const Workers taken = lease.workers();
  if (taken.team) taken.team->run(taken.threads, job);
  else job(0);
}

struct alignas(64) Range {
  std::atomic<int> next;
  int end;
};

}  // namespace

void use_openmp(void* parallel, void* thread_number) {
  const bool both = parallel && thread_number;
  openmp_parallel = both ? reinterpret_cast<OpenmpParallel>(parallel) : nullptr;
  openmp_thread = both ? reinterpret_cast<OpenmpThread>(thread_number) : nullptr;
}

void parallel_for(Workers workers, int count, const std::function<void(int, int)>& fn) {
  const int threads = workers.threads = std::max(1, std::min(workers.threads, count));
  if (threads == 1) {
    for (int index = 0; index < count; ++index) fn(index, 0);
    return;
  }
  std::unique_ptr<Range[]> ranges(new Range[threads]);
  for (int t = 0; t < threads; ++t) {
    ranges[t].next = int(int64_t(count) * t / threads);
    ranges[t].end = int(int64_t(count) * (t + 1) / threads);
  }
  run_workers(workers, [&](int worker) {
    for (int i = 0; i < threads; ++i) {
      Range& range = ranges[(worker + i) % threads];
      for (int index; (index = range.next++) < range.end;) fn(index, worker);
    }
  });
}
