#include "workspace.h"

#include <pthread.h>

#include <mutex>
#include <vector>

namespace {

std::mutex spaces_mutex;
std::vector<std::unique_ptr<Workspace>> spaces;

void lock() { spaces_mutex.lock(); }
void unlock() { spaces_mutex.unlock(); }
// A forked process never finds the list half changed or locked for ever.
const int registered = pthread_atfork(lock, unlock, unlock);

}  // namespace

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
