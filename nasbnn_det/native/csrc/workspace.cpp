#include "workspace.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>

namespace {

std::mutex spaces_mutex;
std::vector<std::unique_ptr<Workspace>> spaces;

void lock() { spaces_mutex.lock(); }
void unlock() { spaces_mutex.unlock(); }
// A forked process never finds the list half changed or locked for ever.
const int registered = pthread_atfork(lock, unlock, unlock);

}  // namespace

void Arena::grow(int64_t bytes) {
  const int64_t size = std::max(bytes, total_);  // twice as much in all, at least
  auto block = std::make_unique<Block>();
  at_ = block->get<char>(size);
  blocks_.push_back(std::move(block));
  room_ = size;
  total_ += size;
  ASAN_POISON_MEMORY_REGION(at_, size);
}

void Arena::reset() {
  if (blocks_.size() > 1) {
    blocks_.clear();
    room_ = 0;
    const int64_t size = total_;
    total_ = 0;
    grow(size);
  } else if (!blocks_.empty()) {
    at_ = blocks_.back()->get<char>(total_);
    room_ = total_;
    ASAN_POISON_MEMORY_REGION(at_, total_);
  }
}

std::unique_ptr<Workspace> take_workspace() {
  std::lock_guard<std::mutex> lock(spaces_mutex);
  if (spaces.empty()) return std::make_unique<Workspace>();
  auto space = std::move(spaces.back());
  spaces.pop_back();
  return space;
}

void return_workspace(std::unique_ptr<Workspace> space) {
  std::lock_guard<std::mutex> lock(spaces_mutex);
  spaces.push_back(std::move(space));
}

void drop_workspaces() {
  std::lock_guard<std::mutex> lock(spaces_mutex);
  spaces.clear();
}
