#include "parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace {

using OpenmpParallel = void (*)(void (*)(void*), void*, unsigned threads, unsigned flags);
using OpenmpThread = int (*)();
OpenmpParallel openmp_parallel = nullptr;
OpenmpThread openmp_thread = nullptr;

// Threads that wait for one job after another, until the process ends. One job at a time; a second caller waits.
class Pool {
 public:
  void run(int workers, const std::function<void(int)>& job) {
    std::lock_guard<std::mutex> one_job(jobs_);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (threads_ < workers - 1) {
        std::thread([this, worker = threads_ + 1, seen = round_] { serve(worker, seen); }).detach();
        ++threads_;
      }
      job_ = &job;
      workers_ = workers;
      running_ = threads_;
      ++round_;
    }
    wake_.notify_all();
    job(0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void serve(int worker, int64_t seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      const auto* job = worker < workers_ ? job_ : nullptr;
      lock.unlock();
      if (job) (*job)(worker);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::mutex jobs_, mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int)>* job_ = nullptr;
  int threads_ = 0, workers_ = 0, running_ = 0;
  int64_t round_ = 0;
};

Pool* pool = new Pool;

// No thread but the caller's lives on in a forked process, in none of the pools: there, the kernels begin with a new one.
void forget_threads() {
  openmp_parallel = nullptr;
  pool = new Pool;
}

const int registered = pthread_atfork(nullptr, nullptr, forget_threads);

void run_workers(int threads, const std::function<void(int)>& job) {
  if (threads <= 1) return job(0);
  if (openmp_parallel) {
    auto enter = [](void* data) { (*static_cast<const std::function<void(int)>*>(data))(openmp_thread()); };
    return openmp_parallel(enter, const_cast<std::function<void(int)>*>(&job), unsigned(threads), 0);
  }
  pool->run(threads, job);
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

void parallel_for(int threads, int count, const std::function<void(int, int)>& fn) {
  threads = std::max(1, std::min(threads, count));
  std::unique_ptr<Range[]> ranges(new Range[threads]);
  for (int t = 0; t < threads; ++t) {
    ranges[t].next = int(int64_t(count) * t / threads);
    ranges[t].end = int(int64_t(count) * (t + 1) / threads);
  }
  run_workers(threads, [&](int worker) {
    for (int i = 0; i < threads; ++i) {
      Range& range = ranges[(worker + i) % threads];
      for (int index; (index = range.next++) < range.end;) fn(index, worker);
    }
  });
}
