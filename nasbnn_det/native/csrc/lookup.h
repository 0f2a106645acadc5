// Products of signs with floats by tables: S F, S of ±1 and F of floats.
//
// The sum of four floats with any signs is one of 16 numbers. They are computed once, for kColumns columns of F, and then
// looked up for every row of S by four of its bits: one addition in place of four multiply-accumulates. Rows of S are
// indices of 64 bits, so that a chunk of the product's inner dimension is 64 rows of F and 16 tables.
#pragma once
#include <cstring>

#include "simd.h"
#include "training.h"

namespace {

template <class Simd>
struct Lookup {
  using Floats = typename Simd::Floats;
  static constexpr int kLanes = Simd::kFloats;
  static constexpr int kVectors = kColumns / kLanes;
  static constexpr int kRows = 8 / kVectors;  // rows at once: as many sums as hide the latency of an addition
  static constexpr int kEntry = kColumns, kTable = 16 * kEntry;
  static constexpr int kShift = 6;
  static_assert(1 << kShift == kEntry * sizeof(float));

  static NB_INLINE Floats get(const float* p) { return load<Floats>(p); }
  static NB_INLINE void put(float* p, Floats v) { std::memcpy(p, &v, sizeof v); }

  // Tables of `count` rows of F, at values + i * stride; rows that lack in the last table are zeros.
  static void build(const float* values, int64_t stride, int count, float* tables) {
    for (int first = 0; first < count; first += 4, tables += kTable)
      for (int v = 0; v < kColumns; v += kLanes) {
        Floats f[4];
        for (int i = 0; i < 4; ++i) f[i] = first + i < count ? get(values + (first + i) * stride + v) : Floats{};
        const Floats low[4] = {-f[0] - f[1], f[0] - f[1], f[1] - f[0], f[0] + f[1]};
        const Floats high[4] = {-f[2] - f[3], f[2] - f[3], f[3] - f[2], f[2] + f[3]};
        for (int b = 0; b < 16; ++b) put(tables + b * kEntry + v, low[b & 3] + high[b >> 2]);
      }
  }

  // Adds to sums[m] what `count` tables have for index[m * index_stride], for all rows m.
  static void add(const float* tables, int count, const uint64_t* index, int64_t index_stride, int64_t rows, float* sums) {
    int64_t m = 0;
    for (; m + kRows <= rows; m += kRows) add_rows<kRows>(tables, count, index + m * index_stride, index_stride, sums + m * kColumns);
    for (; m < rows; ++m) add_rows<1>(tables, count, index + m * index_stride, index_stride, sums + m * kColumns);
  }

 private:
  template <int R>
  static NB_INLINE void add_rows(const float* tables, int count, const uint64_t* index, int64_t index_stride, float* sums) {
    uint64_t bits[R];
    Floats totals[R][kVectors];
    repeat<R>([&](auto r) NB_INLINED {
      bits[r] = index[r * index_stride] << kShift | index[r * index_stride] >> (64 - kShift);
      repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] = Floats{}; });
    });
    // Four bits become an offset in bytes by one mask. Not unrolled: compilers then put all additions to one sum in a row.
    constexpr uint64_t kMask = 15 * kEntry * sizeof(float);
#pragma GCC unroll 1
    for (int j = 0; j < count; ++j, tables += kTable) {
      repeat<R>([&](auto r) NB_INLINED {
        const auto* entry = reinterpret_cast<const char*>(tables) + (bits[r] & kMask);
        repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] += get(reinterpret_cast<const float*>(entry) + v * kLanes); });
        bits[r] = bits[r] >> 4 | bits[r] << 60;
      });
    }
    repeat<R>([&](auto r) NB_INLINED {
      repeat<kVectors>([&](auto v) NB_INLINED {
        float* sum = sums + r * kColumns + v * kLanes;
        put(sum, get(sum) + totals[r][v]);
      });
    });
  }
};

}  // namespace
