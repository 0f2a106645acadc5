// The same products as in products.h in 16-bit fixed point, for mixed precision: two multiply-accumulates a lane.
//
// Weights have 12 bits and a unit for each row of F, that of the filter; F, times it, has 14 bits and a unit for each column.
#pragma once
#include "lookup_half.h"
#include "products.h"

namespace {

template <class Simd>
struct ProductsHalf {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  static constexpr int kLanes = Simd::kFloats;
  static constexpr int kVectors = Products<Simd>::kVectors, kRows = Products<Simd>::kRows;
  static constexpr float kMost = 8191;  // times 2,047 times 64 stays within 31 bits

  // As Products::add; W lies in blocks of pairs, [rows / kRows][ceil(count / 2)][kRows], each a word of the weights of two rows of F,
  // and has to be multiplied by units[k].
  static void add(const float* values, int64_t stride, int count, const int32_t* weight, const float* units, int64_t rows, float* sums) {
    const int pairs = (count + 1) / 2;
    int32_t packed[kWord / 2 * kColumns];
    float worth[kColumns];
    for (int v = 0; v < kVectors; ++v) pack(values + v * kLanes, stride, count, units, packed + v * kLanes, worth + v * kLanes);
    for (int64_t m = 0; m < rows; m += kRows, weight += pairs * kRows) {
      Ints totals[kRows][kVectors];
      repeat<kRows>([&](auto r) NB_INLINED { repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] = Ints{}; }); });
      for (int k = 0; k < pairs; ++k) {
        Ints f[kVectors];
        repeat<kVectors>([&](auto v) NB_INLINED { f[v] = load<Ints>(packed + k * kColumns + v * kLanes); });
        repeat<kRows>([&](auto r) NB_INLINED {
          const Ints w = weight[k * kRows + r] - Ints{};  // in every lane
          repeat<kVectors>([&](auto v) NB_INLINED { totals[r][v] = Simd::dot_pairs(totals[r][v], w, f[v]); });
        });
      }
      repeat<kRows>([&](auto r) NB_INLINED {
        repeat<kVectors>([&](auto v) NB_INLINED {
          float* const sum = sums + (m + r) * kColumns + v * kLanes;
          const Floats total = load<Floats>(sum) + __builtin_convertvector(totals[r][v], Floats) * load<Floats>(worth + v * kLanes);
          std::memcpy(sum, &total, sizeof total);
        });
      });
    }
  }

 private:
  // A vector of columns of F: pairs of rows to words, and what a unit of each column is worth.
  static void pack(const float* values, int64_t stride, int count, const float* units, int32_t* packed, float* worth) {
    Floats most = {}, wrong = {};
    for (int k = 0; k < count; ++k) {
      Floats f = load<Floats>(values + k * stride) * units[k];
      wrong += f - f;  // 0, or no number
      f = f < 0 ? -f : f;
      most = f > most ? f : most;
    }
    const Floats factor = most < kNothing ? Floats{} : kMost / most, unit = most / (kMost * kHalfWeight) + wrong;
    std::memcpy(worth, &unit, sizeof unit);
    for (int k = 0; k < count; k += 2, packed += kColumns) {
      const Floats first = load<Floats>(values + k * stride) * units[k] * factor;
      const Floats second = k + 1 < count ? load<Floats>(values + (k + 1) * stride) * units[k + 1] * factor : Floats{};
      const Ints words = join_halves(round_to_half<Ints>(first), round_to_half<Ints>(second));
      std::memcpy(packed, &words, sizeof words);
    }
  }
};

}  // namespace
