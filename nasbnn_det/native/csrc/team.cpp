#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
#include <vector>

namespace {

// How long a thread waits awake: longer than the pause between two loops of a call, shorter than what others would miss.
constexpr auto kAwake = std::chrono::microseconds(50);

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits awake, a short while at most, and says whether it came true.
template <class Condition>
bool comes_soon(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kAwake;
  do {
    for (int i = 0; i < 32; ++i, pause())
      if (condition()) return true;
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

struct Teams {
  std::mutex mutex;
  std::vector<Team*> idle;
  int busy = 0;  // threads of teams that calls have taken
};

Teams* teams = new Teams;  // never destroyed, as threads may outlive main

void lock() { teams->mutex.lock(); }
void unlock() { teams->mutex.unlock(); }
// No thread but the caller's lives on in a forked process: it begins with new teams, and the old ones are forgotten.
void forget() { teams = new Teams; }
const int registered = pthread_atfork(lock, unlock, forget);

}  // namespace

int usable_cpus() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, int(std::thread::hardware_concurrency()));
}

Team::Team(int threads) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the program's own threads' matter
  try {
    for (int worker = 1; worker <= threads; ++worker) {
      std::thread([this, worker] { serve(worker); }).detach();
      ++threads_;
    }
  } catch (const std::system_error&) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Team::run(int workers, const std::function<void(int)>& job) {
  job_ = &job;
  workers_ = workers;
  gate_.store(kOpen);
  round_.fetch_add(1);
  if (sleepers_.load()) {
    { std::lock_guard<std::mutex> lock(mutex_); }  // nobody is between looking at the round and sleeping
    wake_.notify_all();
  }
  struct Close {  // whatever happens: the others read the job
    Team& team;
    ~Close() {
      if (team.gate_.fetch_and(~kOpen) != kOpen) team.wait_until_left();
    }
  } close{*this};
  job(0);
}

void Team::wait_until_left() {
  const auto empty = [this] { return gate_.load() == 0; };
  if (comes_soon(empty)) return;
  std::unique_lock<std::mutex> lock(mutex_);
  caller_sleeps_.store(true);
  left_.wait(lock, empty);
  caller_sleeps_.store(false);
}

uint32_t Team::next_round(uint32_t seen) {
  const auto comes = [&] { return round_.load() != seen; };
  if (!comes_soon(comes)) {
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, comes);
    sleepers_.fetch_sub(1);
  }
  return round_.load();
}

void Team::serve(int worker) {
  for (uint32_t seen = 0;;) {
    seen = next_round(seen);
    uint32_t inside = gate_.load();
    while (inside & kOpen && !gate_.compare_exchange_weak(inside, inside + 1)) {
    }
    if (!(inside & kOpen)) continue;
    if (worker < workers_) (*job_)(worker);
    gate_.fetch_sub(1);
    if (!caller_sleeps_.load()) continue;
    std::lock_guard<std::mutex> lock(mutex_);
    left_.notify_one();
  }
}

TeamLease::TeamLease(int threads) : taken_(threads - 1), team_(nullptr) {
  std::lock_guard<std::mutex> lock(teams->mutex);
  if (teams->busy) taken_ = std::min(taken_, usable_cpus() - 1 - teams->busy);
  if (taken_ <= 0) return;
  Team* found = nullptr;  // the smallest that is large enough
  for (Team* team : teams->idle)
    if (team->threads() >= taken_ && (!found || team->threads() < found->threads())) found = team;
  if (found) teams->idle.erase(std::find(teams->idle.begin(), teams->idle.end(), found));
  team_ = found ? found : new Team(taken_);
  teams->busy += taken_;
}

TeamLease::~TeamLease() {
  if (!team_) return;
  std::lock_guard<std::mutex> lock(teams->mutex);
  teams->idle.push_back(team_);
  teams->busy -= taken_;
}

Workers TeamLease::workers() const { return {team_ ? std::min(taken_, team_->threads()) + 1 : 1, team_}; }
