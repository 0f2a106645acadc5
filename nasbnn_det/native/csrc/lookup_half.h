// The same products as in lookup.h in 16-bit fixed point, for mixed precision: twice the columns a look-up.
//
// Each column of F has a factor, so that no sum of 64 of its numbers, whatever the signs, leaves 16 bits. Integers are added and
// become floats after every index. For numbers of one size, a sum of 64 is right to about 0.0005 of its size (bfloat16: 0.002).
// A word of an entry holds column i in its lower half, and column i + 16 in its upper one.
#pragma once
#include <cstring>

#include "simd.h"
#include "training.h"

namespace {

// Rounds a number between -2^15 and 2^15 to the lower half of a word; the upper half is not zero.
template <class Ints, class Floats>
NB_INLINE Ints round_to_half(Floats x) {
  return Ints(x + kRounder);
}

// A word of two halves.
template <class Ints>
NB_INLINE Ints join_halves(Ints low, Ints high) {
  return (low & 0xffff) | high << 16;
}

template <class Simd>
struct LookupHalf {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  typedef int16_t Halves __attribute__((vector_size(sizeof(Floats))));
  static constexpr int kLanes = Simd::kFloats, kWords = kHalfColumns / 2;
  static constexpr int kVectors = kWords / kLanes;
  static constexpr int kRows = 8 / kVectors;
  static constexpr int kTable = 16 * kWords, kShift = 6;
  static constexpr float kMost = 32700;  // and 64 times half a unit for rounding
  static_assert(1 << kShift == kWords * sizeof(float));

  static NB_INLINE Floats get(const float* p) { return load<Floats>(p); }
  template <class V>
  static NB_INLINE void put(float* p, V v) {
    std::memcpy(p, &v, sizeof v);
  }

  // Tables of `count` rows of F, at values + i * stride, and behind them what a unit of each column is worth.
  static void build(const float* values, int64_t stride, int count, float* tables) {
    float* const units = tables + kWord / 4 * kTable;
    for (int v = 0; v < kWords; v += kLanes) {
      Floats factor[2];
      for (int half = 0; half < 2; ++half) {
        const float* const column = values + half * kWords + v;
        Floats most = {};
        for (int i = 0; i < count; ++i) {
          const Floats f = get(column + i * stride);
          most += f < 0 ? -f : f;
        }
        factor[half] = most < kNothing ? Floats{} : kMost / most;
        put(units + half * kWords + v, most / kMost);  // no number stays one
      }
      float* table = tables + v;
      for (int first = 0; first < count; first += 4, table += kTable) {
        Halves f[4];
        for (int i = 0; i < 4; ++i) {
          f[i] = Halves{};
          if (first + i >= count) continue;
          const float* const row = values + (first + i) * stride + v;
          f[i] = Halves(join_halves(round_to_half<Ints>(get(row) * factor[0]), round_to_half<Ints>(get(row + kWords) * factor[1])));
        }
        const Halves low[4] = {-f[0] - f[1], f[0] - f[1], f[1] - f[0], f[0] + f[1]};
        const Halves high[4] = {-f[2] - f[3], f[2] - f[3], f[3] - f[2], f[2] + f[3]};
        for (int b = 0; b < 16; ++b) put(table + b * kWords, Halves(low[b & 3] + high[b >> 2]));
      }
    }
  }

  // As Lookup::add.
  static void add(const float* tables, int count, const uint64_t* index, int64_t index_stride, int64_t rows, float* sums) {
    int64_t m = 0;
    for (; m + kRows <= rows; m += kRows) add_rows<kRows>(tables, count, index + m * index_stride, index_stride, sums + m * kHalfColumns);
    for (; m < rows; ++m) add_rows<1>(tables, count, index + m * index_stride, index_stride, sums + m * kHalfColumns);
  }

 private:
  template <int R>
  static NB_INLINE void add_rows(const float* tables, int count, const uint64_t* index, int64_t index_stride, float* sums) {
    const float* const units = tables + kWord / 4 * kTable;
    uint64_t bits[R];
    Halves totals[R][kVectors];
    repeat<R>([&](auto r) NB_INLINED {
      bits[r] = index[r * index_stride] << kShift | index[r * index_stride] >> (64 - kShift);
      repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] = Halves{}; });
    });
    constexpr uint64_t kMask = 15 * kWords * sizeof(float);
#pragma GCC unroll 1
    for (int j = 0; j < count; ++j, tables += kTable) {
      repeat<R>([&](auto r) NB_INLINED {
        const auto* entry = reinterpret_cast<const char*>(tables) + (bits[r] & kMask);
        repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] += load<Halves>(entry + v * sizeof(Halves)); });
        bits[r] = bits[r] >> 4 | bits[r] << 60;
      });
    }
    repeat<kVectors>([&](auto v) NB_INLINED {
      const Floats low = get(units + v * kLanes), high = get(units + kWords + v * kLanes);
      repeat<R>([&](auto r) NB_INLINED {
        const Ints words = Ints(totals[r][v]);
        float* const sum = sums + r * kHalfColumns + v * kLanes;
        put(sum, Floats(get(sum) + __builtin_convertvector(words << 16 >> 16, Floats) * low));
        put(sum + kWords, Floats(get(sum + kWords) + __builtin_convertvector(words >> 16, Floats) * high));
      });
    });
  }
};

}  // namespace
