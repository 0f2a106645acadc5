// Threads that wait for loops, until the process ends. A call takes a team for itself; where others have taken all threads
// that the machine has cores for, it computes alone, so that many calls at once do not crowd each other.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "parallel.h"

class Team {
 public:
  explicit Team(int threads);  // starts them, or as many as the system gives
  int threads() const { return threads_; }  // beside the caller

  // Runs job(0) here and job(1) to job(workers - 1) on those threads that come before job(0) ends; all have left when it
  // returns. What job(0) alone leaves undone must be nothing.
  void run(int workers, const std::function<void(int)>& job);

 private:
  void serve(int worker);
  uint32_t next_round(uint32_t seen);
  void wait_until_left();

  static constexpr uint32_t kOpen = 1u << 31;
  std::atomic<uint32_t> gate_{0};   // whether a job is open, and how many threads are inside
  std::atomic<uint32_t> round_{0};  // counts jobs
  std::atomic<int> sleepers_{0};
  std::atomic<bool> caller_sleeps_{false};
  const std::function<void(int)>* job_ = nullptr;
  int workers_ = 0, threads_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_, left_;
};

// Takes a team for a call, and gives it back.
class TeamLease {
 public:
  explicit TeamLease(int threads);  // the caller's included
  ~TeamLease();
  TeamLease(const TeamLease&) = delete;
  TeamLease& operator=(const TeamLease&) = delete;
  Workers workers() const;

 private:
  int taken_;  // threads beside the caller's
  Team* team_;
};

// CPUs that this process may use.
int usable_cpus();
