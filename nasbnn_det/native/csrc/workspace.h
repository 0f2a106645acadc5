// Memory that outlives a call, so that the next one finds its pages mapped and warm.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else  // these do nothing there either, unless AddressSanitizer is on
#define ASAN_POISON_MEMORY_REGION(from, bytes) ((void)(from), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(from, bytes) ((void)(from), (void)(bytes))
#endif

// A block that only grows. What was in it is lost when it does.
class Block {
 public:
  template <class T>
  T* get(int64_t count) {
    const size_t bytes = size_t(count) * sizeof(T);
    if (bytes > size_) {
      data_.reset();
      size_ = 0;
      data_.reset(::operator new(bytes, kAlign));
      size_ = bytes;
    }
    // What a caller did not ask for is out of bounds, also where an earlier one asked for more.
    ASAN_POISON_MEMORY_REGION(data_.get(), size_);
    ASAN_UNPOISON_MEMORY_REGION(data_.get(), bytes);
    return static_cast<T*>(data_.get());
  }

 private:
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(void* p) const { ::operator delete(p, kAlign); }
  };
  std::unique_ptr<void, Free> data_;
  size_t size_ = 0;
};

// Memory for the values of one call, given out piece by piece and all of it given back at once.
class Arena {
 public:
  // So many values at a place of their own, of which AddressSanitizer knows the end.
  template <class T>
  T* take(int64_t count) {
    const int64_t bytes = count * int64_t(sizeof(T)), step = (bytes + kGap - 1) / kGap * kGap + kGap;
    if (step > room_) grow(step);
    char* piece = at_;
    at_ += step;
    room_ -= step;
    ASAN_UNPOISON_MEMORY_REGION(piece, bytes);
    return reinterpret_cast<T*>(piece);
  }
  void reset();  // the next call finds all memory in one block

 private:
  static constexpr int64_t kGap = 64;
  void grow(int64_t bytes);

  std::vector<std::unique_ptr<Block>> blocks_;
  char* at_ = nullptr;
  int64_t room_ = 0, total_ = 0;
};

// What one run of a chain needs, and a network of chains. Runs at the same time have different ones.
struct Workspace {
  Block maps[2], bits[2], shared, workers;
  Arena network;
};

std::unique_ptr<Workspace> take_workspace();
void return_workspace(std::unique_ptr<Workspace> workspace);
void drop_workspaces();
