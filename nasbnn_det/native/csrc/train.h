// What the training kernels' drivers share.
#pragma once
#include <algorithm>
#include <new>
#include <vector>

#include "training.h"

// Pixels in parts, whose sums are joined in their order: results depend neither on threads nor on chance.
class RowParts {
 public:
  RowParts(int64_t pixels, int64_t sums) : pixels_(pixels), sums_(sums), count_(std::min(kParts, ceil_div(pixels, kRun))) {}
  int count() const { return int(count_); }
  int64_t doubles() const { return count_ * sums_; }

  // Calls run(first pixel, how many) for a part; a run is short enough for sums in single precision.
  template <class Run>
  void in_runs(int part, Run run) const {
    const int64_t runs = ceil_div(pixels_, kRun), from = runs * part / count_, to = runs * (part + 1) / count_;
    for (int64_t i = from; i < to; ++i) run(i * kRun, std::min(kRun, pixels_ - i * kRun));
  }

  void join(const std::vector<double>& partial, double* sums) const {
    std::fill_n(sums, sums_, 0.);
    for (int64_t part = 0; part < count_; ++part)
      for (int64_t i = 0; i < sums_; ++i) sums[i] += partial[part * sums_ + i];
  }

 private:
  static constexpr int64_t kParts = 32, kRun = 64;
  int64_t pixels_, sums_, count_;
};

// Images that are worked on at once, so that `bytes` of each stay in a cache that all threads share; each thread has some.
inline int64_t images_at_once(int64_t batch, int64_t bytes, int threads) {
  constexpr int64_t kCache = 8 << 20;
  return std::min(batch, std::max<int64_t>(threads, kCache / bytes));
}

// Memory of a thread, in floats, so that the next one's begins on a cache line: an entry of a table must not lie on two.
inline int64_t whole_lines(int64_t floats) { return ceil_div(floats, 16) * 16; }

// The look-ups for `columns` floats side by side: in 16 bits where that is wanted and one of single precision does not do.
inline const Lookups& lookups_for(const TrainingIsa& isa, bool half, int64_t columns) {
  return isa.lookups[half && columns > kColumns];
}

inline TailRow tail_row(const NbTail& t, int64_t channels, int64_t first, int64_t count) {
  TailRow row{};
  row.pixels = count;
  row.channels = channels;
  row.shortcut_channels = t.shortcut_channels;
  row.z = static_cast<const char*>(t.z) + first * channels * (t.z_is_float ? sizeof(float) : sizeof(int16_t));
  row.shortcut = t.shortcut ? t.shortcut + first * t.shortcut_channels : nullptr;
  row.scale = t.vectors;
  row.offset = t.vectors + channels;
  row.slope = t.vectors + 2 * channels;
  row.bias_out = t.vectors + 3 * channels;
  return row;
}

// Runs f; 0, or 2 where memory does not suffice.
template <class F>
int guarded(F f) {
  try {
    f();
  } catch (const std::bad_alloc&) {
    return 2;
  }
  return 0;
}
